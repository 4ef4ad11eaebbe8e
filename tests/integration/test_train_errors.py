"""`srqueue train` with a spec that does not hold: an error with where and hint, and the exit code 2."""

import copy
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from srqueue.run.folder import RunDir
from srqueue.spec.layers import set_path

EDSR = {"network_g": {"type": "edsr", "num_feat": 4, "num_block": 1}}
SPOILT = {"name": "spoilt"}
SMALL = (
    *("--preset", "quick", "--set", "datasets.train.lq_size=8", "--set", "datasets.train.batch_size=2"),
    *("--set", "network_g.num_feat=4", "--set", "network_g.num_conv=1"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for number in range(4):
        small = generator.integers(0, 255, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(small).resize((72, 72), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def cli(tmp_path_factory, folder, typed):
    cli = typed(tmp_path_factory.mktemp("cli"))
    cli("dataset", "add", "tiny", "--hr", folder)
    return cli


@pytest.fixture(scope="module")
def base(cli):
    shown = cli("submit", "tiny", *SMALL, "--iterations", 20, "--dry-run", "--json").stdout
    return json.loads(shown)["spec"]


@pytest.fixture
def spec(base, tmp_path):
    """Writes the spec with other values at dotted keys."""

    def write(**changes):
        raw = copy.deepcopy(base)
        for key, value in changes.items():
            set_path(raw, key.replace("__", "."), value)
        file = tmp_path / "spec.yaml"
        file.write_text(json.dumps(raw))
        return file

    return write


@pytest.fixture(scope="module")
def trained(cli, base, tmp_path_factory):
    """A run folder that holds a model and checkpoints."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "spec.yaml").write_text(json.dumps(base))
    cli("train", folder / "spec.yaml", "--run-dir", folder / "run")
    return RunDir(folder / "run")


def model_of(run):
    return next(run.export.glob("*.safetensors"))


def newest(run):
    return run.checkpoints / str(run.checkpoint_names()[-1])


def refused(cli, file, tmp_path, **env):
    """What is told where the trainer itself refuses the spec."""
    told = cli("train", file, "--run-dir", tmp_path / "run", code=2, **env).stderr
    assert told.count("error: ") == 1
    assert list((tmp_path / "run/attempts/1").glob("outcome.json"))
    return told


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (EDSR, "the weights are of a compact, and network_g is a edsr", ""),
        ({"network_g__num_feat": 5}, "the weights do not fit the network", "strict_load_g: false"),
        ({"scale": 3}, "the weights are of a x2 network, and this one is x3", "strict_load_g: false"),
    ],
)
def test_weights_of_another_network_are_an_error_with_exit_code_2(
    cli, spec, trained, tmp_path, change, message, hint
):
    told = refused(cli, spec(path__pretrain_network_g=str(model_of(trained)), **change), tmp_path)
    assert f"error: {message}" in told
    assert f"  where: path.pretrain_network_g: {model_of(trained)}" in told
    assert hint in told


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (
            {"network_g__num_feat": 5},
            "the network of the checkpoint, a compact, is not the spec's: "
            "num_feat is 4 in the checkpoint, 5 in the spec\n",
            "give the same network_g, or begin from its exported model: path.pretrain_network_g",
        ),
        (
            EDSR,
            "the network of the checkpoint is a compact, the spec's is a edsr\n",
            "give the same network_g",
        ),
    ],
)
def test_a_checkpoint_of_another_network_names_what_differs(
    cli, spec, trained, tmp_path, change, message, hint
):
    told = refused(cli, spec(path__resume_from=str(newest(trained)), **change), tmp_path)
    assert f"error: {message}  where: path.resume_from\n  hint: {hint}" in told
    assert "num_conv" not in told


def test_a_device_that_is_not_here_is_an_error_with_exit_code_2(cli, spec, tmp_path):
    told = refused(
        cli, spec(compute__device="cuda"), tmp_path, CUDA_VISIBLE_DEVICES="", SRQUEUE_DEVICE="cuda"
    )
    assert "error: device cuda:0 is not here" in told
    assert "hint: " in told


def test_a_network_of_a_library_that_is_not_here_is_an_error_with_exit_code_2(cli, spec, tmp_path):
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "spandrel.py").write_text("raise ImportError('as where it is not installed')\n")
    file = spec(network_g={"type": "spandrel", "name": "DAT"})
    told = refused(cli, file, tmp_path, PYTHONPATH=f"{Path.cwd()}:{absent}")
    assert "error: this network needs " in told
    assert "pip install" in told


@pytest.mark.parametrize("key", ["pretrain_network_g", "resume_from"])
def test_what_is_not_there_to_begin_with_is_told_before_anything_starts(cli, spec, tmp_path, key):
    told = cli("train", spec(**{f"path__{key}": "/nope"}), "--run-dir", tmp_path / "run", code=2).stderr
    assert told.startswith("error: there is no ")
    assert f"/nope\n  where: path.{key}" in told
    assert not (tmp_path / "run").exists()


def test_a_relative_path_is_that_of_the_folder_where_it_was_typed(cli, spec, trained, tmp_path, monkeypatch):
    file = spec(train__total_iter=30, path__resume_from=f"checkpoints/{newest(trained).name}")
    monkeypatch.chdir(trained.path)
    cli("train", file, "--run-dir", tmp_path / "run")
    assert str(newest(trained)) in (tmp_path / "run/spec.json").read_text()
    assert (
        "iteration 20 of another run" in next((tmp_path / "run/attempts/1").glob("events.jsonl")).read_text()
    )


def test_pictures_that_cannot_be_read_are_still_an_error_with_exit_code_1(cli, spec, folder, tmp_path):
    mine = shutil.copytree(folder, tmp_path / "mine")
    cli("dataset", "add", "spoilt", "--hr", mine, "--replace")
    file = spec(datasets__train={**SPOILT, "lq_size": 8, "batch_size": 2}, datasets__val=SPOILT)
    for picture in mine.iterdir():
        picture.write_bytes(b"no picture")
    told = cli("train", file, "--run-dir", tmp_path / "run", code=1).stderr
    assert "error: " in told


def test_a_data_set_of_an_unknown_name_is_told_with_the_nearest(cli, spec):
    file = spec(datasets__train__name="tinny")
    told = cli("train", file, code=2).stderr
    assert told.startswith("error: the data set 'tinny' is not registered on this machine")
    assert "did you mean 'tiny'?" in told
