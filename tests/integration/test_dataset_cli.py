"""`srqueue dataset` as a person and a program see it, and what `check` finds."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from srqueue.cli.dataset import app
from srqueue.errors import SrqueueError, UsageError

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch) -> Iterator[Run]:
    """run(*arguments): the command's result; a SrqueueError is raised as it is."""
    monkeypatch.setenv("SRQUEUE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SRQUEUE_DATASETS", str(tmp_path / "config" / "datasets.yaml"))

    def call(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if isinstance(result.exception, SrqueueError):
            raise result.exception
        return result

    yield call


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """HR and LR x2 of six different pieces of photographs."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None and spec.origin is not None
    hr, lr = tmp_path / "hr", tmp_path / "lr"
    hr.mkdir()
    lr.mkdir()
    places = [("coffee", 40, 40), ("coffee", 300, 100), ("chelsea", 100, 60), ("astronaut", 180, 20)]
    places += [("astronaut", 20, 330), ("chelsea", 260, 150)]
    for name, left, top in places:
        photograph = Image.open(Path(spec.origin).parent / "data" / f"{name}.png").convert("RGB")
        piece = photograph.crop((left, top, left + 150, top + 140))
        piece.save(hr / f"{name}{left}.png")
        piece.resize((75, 70), Image.Resampling.BICUBIC).save(lr / f"{name}{left}.png")
    return hr, lr


def test_add_ls_show_rm_tell_people_and_programs_the_same(run, folders) -> None:
    hr, lr = folders
    added = run("add", "mine", "--hr", hr, "--lr", lr, "--hold-out", "coffee40", "--licence", "CC0")
    assert added.exit_code == 0
    assert "mine: added. 6 pictures (6 rgb), validated on 1 held out, scale 2" in added.stdout
    assert "bicubic PSNR-Y 3" in added.stdout and "dB, median of the pairs" in run("show", "mine").stdout
    assert "mine: unchanged" in run("add", "mine", "--hr", hr, "--lr", lr, "--hold-out", "coffee40").stdout
    again = json.loads(run("add", "mine", "--hr", hr, "--lr", lr, "--replace", "--json").stdout)
    assert (again["change"], again["licence"]) == ("replaced", None)

    listed = run("ls").stdout
    assert "mine" in listed and str(hr) in listed
    [entry] = json.loads(run("ls", "--json").stdout)
    assert (entry["name"], entry["pictures"], entry["scale"], entry["lr"]) == ("mine", 6, 2, str(lr))

    shown = json.loads(run("show", "mine", "--json").stdout)
    assert shown["identity"] == entry["identity"]
    assert len(shown["held_out_pictures"]) == 1
    assert entry["identity"] in run("show", "mine").stdout

    removed = run("rm", "mine")
    assert "its pictures are still in" in removed.stdout
    assert json.loads(run("ls", "--json").stdout) == []
    assert len(list(hr.iterdir())) == 6


def test_an_empty_registry_says_how_to_begin(run) -> None:
    result = run("ls")
    assert result.exit_code == 0
    assert "srqueue dataset add" in result.stderr


@pytest.mark.parametrize("verb", ["show", "check", "rm"])
def test_an_unknown_name_is_answered_with_the_nearest(run, folders, verb) -> None:
    run("add", "photos", "--hr", folders[0])
    with pytest.raises(UsageError) as caught:
        run(verb, "fotos")
    assert "did you mean 'photos'?" in str(caught.value)


def test_check_of_an_untouched_set_is_sound(run, folders) -> None:
    hr, lr = folders
    run("add", "mine", "--hr", hr, "--lr", lr)
    result = run("check", "mine")
    assert result.exit_code == 0, result.stdout
    assert "all is well" in result.stdout
    assert "bicubic PSNR-Y of 6 pairs" in result.stdout


def test_check_says_how_many_pictures_could_never_be_used(run, folders) -> None:
    hr, _ = folders
    (hr / "empty.png").write_bytes(b"")
    run("add", "mine", "--hr", hr)
    result = run("check", "mine")
    assert result.exit_code == 0, result.stdout
    assert "all is well" not in result.stdout
    assert "1 quarantined" in result.stdout.splitlines()[-1]


def test_check_finds_what_was_changed_removed_broken_or_added(run, folders) -> None:
    hr, _ = folders
    run("add", "mine", "--hr", hr, "--hold-out", "coffee40")
    with Image.open(hr / "chelsea100.png") as picture:
        picture.rotate(90, expand=True).save(hr / "chelsea100.png")
    (hr / "coffee300.png").unlink()
    (hr / "astronaut180.png").write_bytes((hr / "astronaut180.png").read_bytes()[:500])
    Image.new("RGB", (99, 99)).save(hr / "extra.png")

    result = run("check", "mine", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["changed"] == ["chelsea100.png"]
    assert report["missing"] == ["coffee300.png"]
    assert list(report["corrupt"]) == ["astronaut180.png"]
    assert report["new"] == ["extra.png"]
    assert report["sound"] is False

    told = run("check", "mine")
    assert told.exit_code == 1
    assert "something is wrong" in told.stdout
    assert all(
        name in told.stdout for name in ("chelsea100.png", "coffee300.png", "astronaut180.png", "extra.png")
    )


def test_check_finds_pairs_that_are_wrong_or_shifted(run, folders) -> None:
    hr, lr = folders
    (lr / "coffee40.png").write_bytes((lr / "astronaut20.png").read_bytes())
    with Image.open(lr / "chelsea260.png") as picture:
        shifted = picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, 1, 0, 1, 0))
    shifted.save(lr / "chelsea260.png")
    run("add", "mine", "--hr", hr, "--lr", lr)

    result = run("check", "mine", "--json")
    assert result.exit_code == 1
    remarks = {pair["path"]: pair["remark"] for pair in json.loads(result.stdout)["pairs"] if pair["remark"]}
    assert remarks["coffee40.png"] == "LR shows probably another picture"
    assert "shifted" in remarks["chelsea260.png"]
    assert len(remarks) == 2


def test_check_finds_a_photograph_that_is_trained_and_validated_on(run, folders, tmp_path) -> None:
    hr, _ = folders
    val = tmp_path / "val"
    val.mkdir()
    with Image.open(hr / "coffee300.png") as picture:
        picture.resize((120, 112), Image.Resampling.BICUBIC).save(val / "renamed.jpg", quality=80)
    run("add", "val", "--hr", val)
    run("add", "mine", "--hr", hr, "--val", "val")

    result = run("check", "mine", "--json")
    assert result.exit_code == 1
    [hit] = json.loads(result.stdout)["duplicates"]
    assert (hit["train"], hit["val"]) == ("coffee300.png", "renamed.jpg")


def test_check_lists_what_is_nearly_trained_on_twice_and_is_content(run, folders) -> None:
    hr, _ = folders
    for number in range(5):  # with the original every two of six are alike: 15 pairs
        with Image.open(hr / "coffee300.png") as picture:
            picture.save(hr / f"again{number}.jpg", quality=70 + number)
    run("add", "mine", "--hr", hr, "--hold-out", "coffee40")
    result = run("check", "mine")
    assert result.exit_code == 0, result.stdout
    assert result.stdout.count("(alike)") == 11
    assert "and 5 more pairs" in result.stdout


def test_looking_at_the_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from srqueue.cli.dataset import app; "
        "heavy = ('torch', 'numpy', 'PIL', 'pydantic', 'yaml', 'srqueue.datasets'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
