"""YAML from users is read without surprises and without harm."""

import pytest

from srqueue.errors import SpecError
from srqueue.spec.reading import LARGEST_FILE, read_mapping, read_value, read_yaml


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "5e-5", "1.5e3", ".5e-2", "+2e-3"])
def test_an_exponent_without_a_point_is_a_number(text):
    assert read_yaml(f"lr: {text}", "t") == {"lr": float(text)}


@pytest.mark.parametrize("text", ["e5", "1e", "abc", "'1e-4'"])
def test_what_is_no_number_stays_text(text):
    assert isinstance(read_yaml(f"x: {text}", "t")["x"], str)


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['true']", "!!python/name:os.system ''", "!x 1"]
)
def test_a_tag_is_refused_and_nothing_runs(tag):
    with pytest.raises(SpecError, match=r"tags such as !!python are not allowed"):
        read_yaml(f"network_g: {tag}", "mine.yaml")


def test_numbers_have_no_base_of_60():
    assert read_yaml("at: 22:30\nfrom: 1:30:00.5\nn: 1_000\nhex: 0x1F\nf: .5", "t") == {
        "at": "22:30", "from": "1:30:00.5", "n": 1000, "hex": 31, "f": 0.5,
    }  # fmt: skip


def test_an_alias_is_refused_with_its_line():
    with pytest.raises(SpecError) as caught:
        read_yaml("a: &x [1]\nb: *x\n", "mine.yaml")
    assert "aliases" in caught.value.message
    assert caught.value.where == "mine.yaml, line 2, column 4"


def test_a_doubled_key_is_refused():
    with pytest.raises(SpecError, match="'lr' stands here twice"):
        read_yaml("lr: 1\nlr: 2\n", "t")


def test_a_syntax_error_names_file_and_line(tmp_path):
    file = tmp_path / "broken.yaml"
    file.write_text("a: [1, 2\nb: 3\n")
    with pytest.raises(SpecError) as caught:
        read_mapping(file)
    assert caught.value.where.startswith(f"{file}, line 2")


def test_a_file_that_is_missing_huge_or_no_mapping_is_refused(tmp_path):
    with pytest.raises(SpecError, match="No such file"):
        read_mapping(tmp_path / "none.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(SpecError, match="key: value"):
        read_mapping(tmp_path / "list.yaml")
    (tmp_path / "huge.yaml").write_text("a: '" + "x" * LARGEST_FILE + "'")
    with pytest.raises(SpecError, match="larger than"):
        read_mapping(tmp_path / "huge.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="UTF-8"):
        read_mapping(tmp_path / "bytes.yaml")


def test_a_deeply_nested_file_is_refused_without_a_crash():
    with pytest.raises(SpecError):
        read_yaml("[" * 100_000, "t")


def test_values_of_flags_are_typed():
    assert [read_value(t, "t") for t in ("3", "5e-5", "true", "abc", "[1, 2]", "")] == [
        3,
        5e-5,
        True,
        "abc",
        [1, 2],
        "",
    ]
