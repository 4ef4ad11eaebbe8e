"""`srqueue submit` with names, values and paths that do not hold: told at once, with the exit code 2."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import srqueue
from srqueue.errors import SpecError


def draw(folder, *sides, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(seed)
    for number, side in enumerate(sides):
        small = generator.integers(0, 255, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return draw(tmp_path_factory.mktemp("photos"), 72, 72, 72, 72)


@pytest.fixture(scope="module")
def cli(tmp_path_factory, photos, typed):
    cli = typed(tmp_path_factory.mktemp("cli"))
    cli("dataset", "add", "tiny", "--hr", photos)
    return cli


def dry(cli, *changes, code=0):
    words = [word for change in changes for word in ("--set", change)]
    done = cli("submit", "tiny", *words, "--dry-run", "--json", code=code)
    return json.loads(done.stdout) if code == 0 else done.stderr


def notes(cli, *changes):
    return dry(cli, *changes)["notices"]


def test_a_validation_set_of_an_unknown_name_is_answered_with_the_nearest(cli):
    told = dry(cli, "datasets.val.name=tiyn", code=2)
    assert told.startswith("error: the validation set 'tiyn' is not registered on this machine\n")
    assert "did you mean 'tiny'?" in told
    assert "known: tiny" in dry(cli, "datasets.val.name=nope", code=2)


def test_a_crop_that_no_picture_holds_is_answered_with_one_that_fits(cli):
    told = dry(cli, "datasets.train.lq_size=1000", code=2)
    assert told.startswith("error: no picture of 'tiny' is as large as the crop of 2000 pixels (1000 x 2)\n")
    assert "--set datasets.train.lq_size=36" in told
    assert dry(cli, "datasets.train.lq_size=36")["spec"]["datasets"]["train"]["lq_size"] == 36


def test_a_scale_that_the_validation_pairs_have_not_is_refused(cli, tmp_path):
    hr, lr = draw(tmp_path / "hr", 64, 64, seed=5), tmp_path / "lr"
    lr.mkdir()
    for file in hr.iterdir():
        with Image.open(file) as picture:
            picture.resize((32, 32), Image.Resampling.BICUBIC).save(lr / file.name)
    cli("dataset", "add", "pairs", "--hr", hr, "--lr", lr)
    named = "datasets.val.name=pairs"
    assert dry(cli, named)["spec"]["scale"] == 2
    told = dry(cli, named, "scale=4", code=2)
    assert told.startswith(
        "error: the spec asks for x4, and the pairs on disk are of 'pairs' x2\n  where: scale\n"
    )
    whole = tmp_path / "whole.yaml"
    whole.write_text(
        cli("submit", "tiny", "--set", named, "--dry-run").stdout.replace("scale: 2", "scale: 4")
    )
    for words in (("submit", "--spec", whole, "--dry-run"), ("train", whole, "--run-dir", tmp_path / "run")):
        assert "'pairs' x2" in cli(*words, code=2).stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("key", ["path.pretrain_network_g", "path.resume_from"])
def test_what_is_not_on_this_machine_must_be_on_the_workers(cli, key):
    for path in ("/nope", "nope/here", "~/nope", "~nobody-of-that-name/nope"):
        assert f"{path} ({key}) is not on this machine: it must be on the worker's" in notes(
            cli, f"{key}={path}"
        )
        section, _, name = key.partition(".")
        assert dry(cli, f"{key}={path}")["spec"][section][name] == path


def test_pictures_that_vanished_or_changed_are_a_note(cli, tmp_path):
    hr = draw(tmp_path / "hr", 64, 64, 64, 64, 64, seed=7)
    cli("dataset", "add", "shrinking", "--hr", hr)
    asked = ("submit", "shrinking", "--dry-run")
    assert "not those it was added with" not in cli(*asked).stderr
    (hr / "1.png").unlink()
    (hr / "2.png").write_bytes(b"cut off")
    told = cli(*asked).stderr
    assert "note: the pictures of the data set 'shrinking' are not those it was added with: " in told
    assert "1 gone (1.png), 1 changed (2.png)" in told
    assert f"srqueue dataset add shrinking --hr {hr} --replace" in told
    shutil.rmtree(hr)
    assert f"note: {hr}, a folder of the data set 'shrinking', is not there" in cli(*asked).stderr


def test_without_a_gpu_submit_says_that_small_crops_gain_more(cli, tmp_path):
    cli("dataset", "add", "large", "--hr", draw(tmp_path / "large", *[160] * 3, seed=5))
    asked = ("submit", "large", "--dry-run")
    told = cli(*asked, SRQUEUE_DEVICE="cpu").stderr
    assert "with --set datasets.train.lq_size=32 a CPU makes several times the steps" in told
    chosen = cli(*asked, "--set", "datasets.train.lq_size=48", SRQUEUE_DEVICE="cpu").stderr
    elsewhere = cli(
        *asked, SRQUEUE_DEVICE="cpu", SRQUEUE_REDIS_URL="redis://:secret@of-another-machine"
    ).stderr
    assert "a CPU makes" not in chosen + elsewhere


def test_a_folder_that_is_no_checkpoint_is_refused_with_how_they_are_called(cli, tmp_path):
    run = tmp_path / "run"
    for name in ("ckpt-000001-it50-t1", "ckpt-000002-it90-t1"):
        (run / "checkpoints" / name).mkdir(parents=True)
    told = dry(cli, f"path.resume_from={tmp_path}", code=2)
    assert told.startswith(f"error: {tmp_path} is no checkpoint folder\n  where: path.resume_from\n  hint: ")
    assert "RUN/checkpoints/ckpt-" in told
    newest = run / "checkpoints/ckpt-000002-it90-t1"
    for near in (run, run / "checkpoints"):
        assert f"the newest of that run: {newest}" in dry(cli, f"path.resume_from={near}", code=2)
    assert "is no checkpoint folder" in dry(cli, f"path.resume_from={newest}", code=2)  # and not whole
    (newest / "manifest.json").touch()
    assert not [note for note in notes(cli, f"path.resume_from={newest}") if "machine" in note]
    assert "is a folder" in dry(cli, f"path.pretrain_network_g={tmp_path}", code=2)


def exported(file, architecture="paragonsr2_nano", scale="2", **arguments):
    """A file as srqueue exports one, of which only the header is there."""
    metadata = {"format": "srqueue-model", "architecture": architecture, "scale": scale}
    header = json.dumps({"__metadata__": metadata | {"arguments": json.dumps(arguments)}}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    return f"path.pretrain_network_g={file}"


@pytest.mark.parametrize(
    ("of", "told", "hint"),
    [
        ({"architecture": "edsr"}, "the weights are of a edsr, and network_g is a paragonsr2_nano", ""),
        ({"architecture": "spandrel", "name": "DAT"}, "the weights are of a spandrel:DAT, and", ""),
        ({"scale": "4"}, "the weights are of a x4 network, and this one is x2", "strict_load_g: false"),
    ],
)
def test_weights_of_another_network_are_refused_before_they_are_queued(cli, tmp_path, of, told, hint):
    said = dry(cli, exported(tmp_path / "w.safetensors", **of), code=2)
    assert said.startswith(f"error: {told}")
    assert f"  where: path.pretrain_network_g: {tmp_path / 'w.safetensors'}\n" in said
    assert hint in said


def test_weights_of_the_same_network_and_files_that_say_nothing_are_submitted(cli, tmp_path):
    file = tmp_path / "w.safetensors"
    assert not any("weights" in note for note in notes(cli, exported(file)))
    loose = "path.strict_load_g=false"
    assert any("x4 network" in note for note in notes(cli, exported(file, scale="4"), loose))
    for content in (
        b"",
        b"\xff" * 8,
        b"weights",
        b"\xff" * 9,
        b"\x02" + bytes(7) + b"[]",
        b"\x09" + bytes(7) + b"{",
    ):
        file.write_bytes(content)
        assert not any("weights" in note for note in notes(cli, f"path.pretrain_network_g={file}"))
    file.unlink()
    assert any("must be on the worker's" in note for note in notes(cli, f"path.pretrain_network_g={file}"))


def test_an_act_that_the_weights_were_not_trained_with_is_refused_at_submit(cli, tmp_path):
    file = tmp_path / "w.safetensors"
    start = exported(file, act=False, alpha=-0.4)
    said = dry(cli, start, "network_g.act=true", code=2)
    assert "trained with act: false, and network_g has act: true" in said
    assert "set network_g.act: false" in said
    alphas = "the weights were trained with alpha: -0.4, and network_g has alpha: 0.4"
    assert alphas in notes(cli, start, "network_g.act=false")
    file.write_bytes(b"\x02" + bytes(7) + b"{}")
    for act, refused in (("true", 2), ("false", 0)):
        dry(cli, f"path.pretrain_network_g={file}", f"network_g.act={act}", code=refused)


def test_relative_paths_that_are_here_become_absolute_ones(cli, tmp_path, monkeypatch):
    folder = tmp_path / "runs/ckpt-000001-it5-t1"
    folder.mkdir(parents=True)
    (folder / "manifest.json").touch()
    (tmp_path / "start.safetensors").write_bytes(b"weights")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(cli.env, "HOME", str(tmp_path))
    monkeypatch.setitem(cli.env, "PYTHONPATH", str(Path(srqueue.__file__).parents[1]))
    for key, path in (("pretrain_network_g", "start.safetensors"), ("resume_from", f"runs/{folder.name}")):
        whole = dry(cli, f"path.{key}={tmp_path / path}")
        assert whole["origins"][f"path.{key}"] == "flag --set"
        for short in (path, f"./{path}", f"~/{path}"):
            found = dry(cli, f"path.{key}={short}")
            assert found["spec"]["path"] == whole["spec"]["path"]
            assert found["spec"]["path"][key] == str(tmp_path / path)
            assert found["origins"][f"path.{key}"] == "flag --set, made absolute"
            assert found["spec_id"] == whole["spec_id"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [([1], r"holds `key: value` pairs.*not \[1\]"), ({"trian": {}}, "trian: unknown key")],
)
def test_overrides_from_python_are_refused_before_and_after_the_pictures(
    cli, photos, monkeypatch, tmp_path, changes, told
):
    for name, value in cli.env.items():
        if name.startswith("SRQUEUE_"):
            monkeypatch.setenv(name, value)
    with pytest.raises(SpecError, match=told):
        srqueue.create_zero_config_training("compact", photos, custom_overrides=changes)
    mine = shutil.copytree(photos, tmp_path / "mine")
    with pytest.raises(SpecError, match="holds `key: value` pairs"):
        srqueue.create_zero_config_training("compact", mine, custom_overrides=[])
    assert str(mine) not in cli("dataset", "ls", "--json").stdout


def test_an_empty_section_that_nobody_knows_is_refused_from_flags_and_files(cli, tmp_path):
    assert "trian: unknown key (from flag --set)" in dry(cli, "trian={}", code=2)
    file = tmp_path / "mine.yaml"
    file.write_text("trian: {}\n")
    told = cli("submit", "tiny", "--config", file, "--dry-run", code=2).stderr
    assert f"trian: unknown key (from file {file})" in told
    assert "did you mean 'train'?" in told
    dry(cli, "train={}", "datasets.val={}")
