"""Data sets of several folders, and what `add` refuses or sets aside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from srqueue.cli.dataset import app
from srqueue.datasets import Registry, add, check, dataset_ref, locate
from srqueue.errors import DataError, SrqueueError, UsageError
from srqueue.run.listing import LISTING_VERSION, Listing
from srqueue.settings import Settings
from srqueue.spec.expand import expand
from workers.trainer.data.batches import Batches
from workers.trainer.data.quarantine import Quarantine
from workers.trainer.datasets import open_datasets


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", datasets=tmp_path / "config" / "datasets.yaml")


@pytest.fixture
def folders(tmp_path: Path):
    """Two HR folders and their LR x2: both hold another `a.png`; the second has `sub/c.png`, too."""
    from skimage import data

    places = {"one/a.png": 0, "one/b.png": 60, "two/a.png": 120, "two/sub/c.png": 180}
    for path, left in places.items():
        hr = Image.fromarray(data.astronaut()[80:180, left : left + 120])
        for kind, image in (("hr", hr), ("lr", hr.resize((60, 50), Image.Resampling.BICUBIC))):
            file = tmp_path / kind / path
            file.parent.mkdir(parents=True, exist_ok=True)
            image.save(file)
    return [tmp_path / "hr/one", tmp_path / "hr/two"], [tmp_path / "lr/one", tmp_path / "lr/two"]


IDENTITY = "3b06dcd37d0ada85f4d8f2d4e9e433f3f099bd351be62575027a1852da4802eb"


def listing_of(settings: Settings, name: str = "mine") -> Listing:
    return Listing.read(Registry(settings).listing_file(name))


def test_equal_names_in_two_folders_are_two_pictures(settings, folders) -> None:
    hr, _ = folders
    entry = add(settings, "mine", hr, hold_out=["2/sub/c"])
    assert (entry.pictures, entry.held_out, entry.hr, entry.lr) == (4, 1, tuple(map(str, hr)), None)
    listing = listing_of(settings)
    assert [p.path for p in listing.pictures] == ["1/a.png", "1/b.png", "2/a.png", "2/sub/c.png"]
    assert len({p.sha256 for p in listing.pictures}) == 4

    assert add(settings, "mine", hr, hold_out=["c"]) == entry
    assert Registry(settings).get("mine") == entry, "read back from YAML"
    with pytest.raises(UsageError, match=r"means 2 pictures: 1/a\.png, 2/a\.png"):
        add(settings, "mine", hr, hold_out=["a"], replace=True)
    with pytest.raises(UsageError, match="already"):
        add(settings, "mine", hr[0])
    assert add(settings, "mine", hr[0], replace=True).hr == str(hr[0])


def test_the_identity_names_content_and_order_but_not_the_place(settings, folders, tmp_path) -> None:
    hr, _ = folders
    identity = add(settings, "mine", hr).identity
    moved = [folder.rename(tmp_path / f"moved{i}") for i, folder in enumerate(hr)]
    assert add(settings, "elsewhere", moved).identity == identity
    assert add(settings, "turned", moved[::-1]).identity != identity


def test_pairs_go_folder_by_folder(settings, folders) -> None:
    hr, lr = folders
    entry = add(settings, "pairs", hr, lr)
    assert (entry.scale, entry.lr_roots) == (2, tuple(map(str, lr)))
    assert {p.path: p.lr_path for p in listing_of(settings, "pairs").pictures}["2/a.png"] == "2/a.png"
    report = check(settings, "pairs")
    assert report.sound
    assert len(report.pairs) == 4
    with pytest.raises(DataError, match="no partner"):
        add(settings, "wrong", hr, lr[::-1])
    with pytest.raises(UsageError, match="2 HR and 1 LR folders"):
        add(settings, "wrong", hr, lr[0])


def test_a_training_reads_the_picture_of_the_right_folder(settings, folders) -> None:
    hr, lr = folders
    add(settings, "pairs", hr, lr, hold_out=["b"])
    registry = Registry(settings)
    ref = dataset_ref(registry, "pairs")
    crop = {"datasets": {"train": {"lq_size": 24, "batch_size": 4}}}
    spec = expand(ref, overrides=[("test", crop)]).spec
    opened = open_datasets(spec, locate(registry, spec))
    for index, picture in enumerate(opened.training.pictures):
        number, _, inside = picture.path.partition("/")
        pair = opened.training[index]
        for pixels, roots in ((pair.hr, hr), (pair.lr, lr)):
            assert (Image.fromarray(pixels).tobytes()) == Image.open(
                roots[int(number) - 1] / inside
            ).tobytes()
    batches = Batches(opened.training, spec.datasets.train, 1, torch.device("cpu"), False)
    assert batches[0][0].shape == (4, 3, 24, 24)
    quarantine = Quarantine(opened.training, ["2/a.png"])
    assert {opened.training.pictures[i].path for i in quarantine.indices} == {"2/a.png"}

    lr[1].rename(lr[1].with_name("gone"))
    with pytest.raises(DataError, match="a folder of the data set 'pairs' is not there"):
        locate(registry, spec)


def test_a_change_in_the_second_folder_is_found_by_check(settings, folders) -> None:
    hr, _ = folders
    add(settings, "mine", hr)
    Image.open(hr[0] / "b.png").save(hr[1] / "a.png")
    Image.open(hr[0] / "b.png").rotate(180).save(hr[1] / "new.png")
    report = check(settings, "mine")
    assert (report.changed, report.new, report.missing) == (("2/a.png",), ("2/new.png",), ())


def test_folders_inside_each_other_are_refused(settings, folders, tmp_path) -> None:
    hr, _ = folders
    with pytest.raises(UsageError, match="two folders are the same, or one lies inside the other"):
        add(settings, "mine", [tmp_path / "hr", hr[0]])
    with pytest.raises(UsageError, match="two folders are the same"):
        add(settings, "mine", [hr[0], hr[0]])
    with pytest.raises(UsageError, match="needs a folder"):
        add(settings, "mine", [])


def test_the_command_line_takes_and_shows_several(folders, tmp_path, monkeypatch) -> None:
    hr, lr = folders
    monkeypatch.setenv("SRQUEUE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SRQUEUE_DATASETS", str(tmp_path / "config" / "datasets.yaml"))

    def run(*arguments: object) -> str:
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if isinstance(result.exception, SrqueueError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    both = [word for h, s in zip(hr, lr, strict=True) for word in ("--hr", h, "--lr", s)]
    assert "4 pictures" in run("add", "mine", *both)
    assert "unchanged" in run("add", "mine", *both)
    shown = run("show", "mine")
    assert f"HR folder 2     {hr[1]}" in shown
    assert f"LR folder 1     {lr[0]}" in shown
    assert f"{hr[0]} and 1 more" in run("ls")
    assert json.loads(run("show", "mine", "--json"))["hr"] == [str(folder) for folder in hr]
    assert "all is well" in run("check", "mine")
    assert str(hr[1]) in run("rm", "mine")


def test_one_folder_keeps_its_paths_and_identity(settings, tmp_path) -> None:
    """A frozen value: were it another, every stored job would have lost its data set."""
    (tmp_path / "hr" / "sub").mkdir(parents=True)
    for number, path in enumerate(["a.png", "sub/b.png"]):
        image = Image.new("RGB", (40, 30), (number, 2, 3))
        image.putpixel((1, 1), (200, number, 0))
        (tmp_path / "hr" / path).write_bytes(_plain_png(image))
    entry = add(settings, "mine", tmp_path / "hr", hold_out=["b"])
    assert [p.path for p in listing_of(settings).pictures] == ["a.png", "sub/b.png"]
    assert entry.identity == IDENTITY


def test_a_listing_and_an_entry_of_the_first_version_are_still_read(settings, folders) -> None:
    """Nothing is measured in them; adding the same again measures and changes nothing else."""
    hr, _ = folders
    entry = add(settings, "mine", hr[0])
    registry = Registry(settings)
    file = registry.listing_file("mine")
    raw = json.loads(file.read_text())
    assert raw.pop("v") == LISTING_VERSION
    for key in ("further_hr", "further_lr"):
        del raw[key]
    for picture in raw["pictures"]:
        del picture["sharpness"]
    file.write_text(json.dumps({"v": 1, **raw}))
    text = registry.file.read_text().splitlines()
    measured = ("median_", "p5_side", "sharpness")
    registry.file.write_text("\n".join(line for line in text if not line.strip().startswith(measured)))

    old = Registry(settings).get("mine")
    assert (old.sharpness, old.median_width, old.identity) == (0, 0, entry.identity)
    assert [p.sharpness for p in Listing.read(file).pictures] == [None, None]
    assert check(settings, "mine").sound
    assert add(settings, "mine", hr[0]) == entry == Registry(settings).get("mine")
    file.write_text(json.dumps({"v": 99, **raw}))
    with pytest.raises(DataError, match="version 99"):
        Listing.read(file)


def test_what_teaches_nothing_is_set_aside_by_name(settings, folders) -> None:
    hr, _ = folders
    Image.new("RGB", (120, 100)).save(hr[0] / "black.png")
    Image.new("RGB", (1, 1), "white").save(hr[0] / "dot.png")
    Image.open(hr[0] / "a.png").crop((0, 0, 19, 100)).save(hr[0] / "thin.png")
    entry = add(settings, "mine", hr[0])
    assert (entry.pictures, entry.quarantined) == (2, 3)
    assert listing_of(settings).quarantined == {
        "black.png": "all its 120x100 pixels are equal",
        "dot.png": "all its 1x1 pixels are equal",
        "thin.png": "19x100: smaller than 20 pixels",
    }


def test_a_copy_of_a_held_out_picture_is_not_trained_on(settings, folders) -> None:
    hr, _ = folders
    (hr[0] / "copy of b.png").write_bytes((hr[0] / "b.png").read_bytes())
    lines: list[str] = []
    entry = add(settings, "mine", hr[0], hold_out=["b"], tell=lines.append)
    assert [p.path for p in listing_of(settings).training()] == ["a.png"]
    assert listing_of(settings).quarantined == {"copy of b.png": "the same file as b.png, which is held out"}
    assert entry.pictures == 2

    again = add(settings, "mine", hr[0], hold_out=["a"], replace=True, tell=lines.append)
    assert again.pictures == 3
    assert any("more than once, byte for byte" in line and "copy of b.png" in line for line in lines)
    (hr[0] / "a.png").unlink()
    assert add(settings, "mine", hr[0], replace=True).held_out == 0, "one picture, twice: nothing to hold out"


def test_pictures_that_are_nearly_trained_on_twice_are_remarked_only(settings, folders) -> None:
    hr, _ = folders
    Image.open(hr[0] / "a.png").save(hr[0] / "again.jpg", quality=80)
    add(settings, "mine", hr[0], hold_out=["b"])
    report = check(settings, "mine")
    assert report.sound
    assert [(hit["one"], hit["other"]) for hit in report.alike] == [("a.png", "again.jpg")]


def test_lr_of_another_scale_and_of_mixed_scales_are_told(settings, folders) -> None:
    hr, lr = folders
    with pytest.raises(DataError, match="2 of 2 pairs do not fit the scale 3"):
        add(settings, "mine", hr[0], lr[0], scale=3)
    Image.open(hr[0] / "a.png").resize((30, 25)).save(lr[0] / "a.png")
    told = r"of 2 are 1 of x2: b\.png \(HR 120x100, LR 60x50\), 1 of x4: a\.png \(HR 120x100, LR 30x25\)"
    with pytest.raises(DataError, match=told):
        add(settings, "mine", hr[0], lr[0])
    Image.open(hr[0] / "a.png").resize((50, 41)).save(lr[0] / "a.png")
    Image.open(hr[0] / "a.png").resize((50, 41)).save(lr[0] / "b.png")
    with pytest.raises(DataError, match="no scale fits"):
        add(settings, "mine", hr[0], lr[0])


def _plain_png(image: Image.Image) -> bytes:
    """A PNG whose bytes do not depend on a version of zlib: stored, not deflated."""
    import struct
    import zlib

    raw = image.tobytes()
    rows = b"".join(b"\0" + raw[y * image.width * 3 : (y + 1) * image.width * 3] for y in range(image.height))
    stored = b"\x78\x01\x01" + struct.pack("<HH", len(rows), len(rows) ^ 0xFFFF) + rows
    stored += struct.pack(">I", zlib.adler32(rows))
    out = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", image.width, image.height, 8, 2, 0, 0, 0)
    for kind, body in ((b"IHDR", header), (b"IDAT", stored), (b"IEND", b"")):
        out += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return out
