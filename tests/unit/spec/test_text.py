"""The annotated YAML of a spec."""

from hypothesis import given
from hypothesis import strategies as st

from srqueue.spec.expand import DatasetRef, expand, set_value
from srqueue.spec.job import JobSpec
from srqueue.spec.presets import preset_names
from srqueue.spec.reading import read_yaml
from srqueue.spec.text import annotated_yaml


def test_every_preset_reads_back_as_the_same_spec():
    for preset in preset_names():
        expanded = expand(DatasetRef("photos", "a" * 64, None, "photos", "a" * 64), preset=preset)
        text = annotated_yaml(expanded.spec.model_dump(mode="json"), expanded.origins)
        assert JobSpec.model_validate(read_yaml(text, "test")) == expanded.spec


def test_every_value_tells_where_it_came_from():
    overrides = [("flag --set", set_value("train.optim_g.lr=5e-5"))]
    expanded = expand(DatasetRef("photos"), preset="fidelity", overrides=overrides)
    lines = annotated_yaml(expanded.spec.model_dump(mode="json"), expanded.origins).splitlines()

    values = [line for line in lines if not line.endswith(":")]
    assert values
    assert all("  # " in line for line in values)
    assert any(line.split() == ["lr:", "5.0e-05", "#", "flag", "--set"] for line in values)
    assert any(line.split()[:2] == ["total_iter:", "80000"] and "preset fidelity" in line for line in values)


values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
keys = st.from_regex(r"[a-z_][a-z0-9_]{0,10}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=20)


@given(st.dictionaries(keys, values | texts | st.lists(values, max_size=4), min_size=1, max_size=6))
def test_any_mapping_of_plain_values_reads_back(tree):
    assert read_yaml(annotated_yaml(tree, {}), "test") == tree
