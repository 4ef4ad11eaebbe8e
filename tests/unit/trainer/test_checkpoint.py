"""The checkpoint folder: whole or absent, and it knows when it is damaged."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from srqueue.errors import CheckpointError
from srqueue.run.folder import CheckpointName
from workers.trainer import checkpoint
from workers.trainer.checkpoint import Manifest, commit, expendable, read, remove, set_aside
from workers.trainer.state import RunState
from workers.trainer.versions import NewerVersion

NAME = "ckpt-000002-it40-t1"


def manifest(name=NAME, **more):
    state = RunState(iteration=40, seq=2, best={"val/psnr": 30.1}, automations={"rate": {"factor": 0.5}})
    return Manifest(
        name=name, parent="ckpt-000001-it20-t1", spec_id="5" * 64, data={"train": "a" * 64, "val": None},
        fingerprint={"torch": "2"}, events_offset=123, state=state.to_json(), **more,
    )  # fmt: skip


def tensors():
    generator = torch.Generator().manual_seed(1)
    conv = torch.randn(4, 3, 3, 3, generator=generator).contiguous(memory_format=torch.channels_last)
    return {"model/w": conv, "optim/step/w": torch.tensor([7.0]), "best/empty": torch.zeros(0)}


def test_what_was_saved_is_read_back(tmp_path):
    written = commit(tmp_path, tensors(), manifest())
    known, found = read(tmp_path / NAME)
    assert replace(known, bytes=0, sha256="", saved=0.0) == manifest()
    assert RunState.from_json(known.state).best == {"val/psnr": 30.1}
    assert all(torch.equal(found[name], t) for name, t in tensors().items())
    assert written == sum(f.stat().st_size for f in (tmp_path / NAME).iterdir())
    assert [p.name for p in tmp_path.iterdir()] == [NAME]


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 0x10
    path.write_bytes(data)


DAMAGE = {
    "payload cut": lambda f: os.truncate(f / "state.safetensors", 100),
    "payload empty": lambda f: os.truncate(f / "state.safetensors", 0),
    "payload gone": lambda f: (f / "state.safetensors").unlink(),
    "payload longer": lambda f: (f / "state.safetensors").open("ab").write(b"x"),
    "manifest cut": lambda f: os.truncate(f / "manifest.json", 90),
    "manifest empty": lambda f: os.truncate(f / "manifest.json", 0),
    "manifest gone": lambda f: (f / "manifest.json").unlink(),
    "manifest no mapping": lambda f: (f / "manifest.json").write_text("[]"),
    "manifest of a later form": lambda f: (f / "manifest.json").write_text('{"digest": "x", "new": 1}'),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_refused(tmp_path, damage):
    commit(tmp_path, tensors(), manifest())
    DAMAGE[damage](tmp_path / NAME)
    with pytest.raises(CheckpointError):
        read(tmp_path / NAME)


@given(at=st.integers(0, 10**6))
def test_any_flipped_bit_is_noticed(tmp_path_factory, at):
    folder = tmp_path_factory.mktemp("flip")
    commit(folder, tensors(), manifest())
    files = (folder / NAME / "state.safetensors", folder / NAME / "manifest.json")
    file = files[at % 2]
    before = file.read_bytes()
    flip(file, at // 2)
    try:
        same = json.loads(file.read_bytes()) == json.loads(
            before
        )  # a bit between JSON tokens changes nothing
    except ValueError:
        same = False
    if not same:
        with pytest.raises(CheckpointError):
            read(folder / NAME)


def test_a_manifest_in_another_checkpoints_folder_is_refused(tmp_path):
    commit(tmp_path, tensors(), manifest())
    (tmp_path / NAME).rename(tmp_path / "ckpt-000003-it60-t1")
    with pytest.raises(CheckpointError, match=NAME):
        read(tmp_path / "ckpt-000003-it60-t1")


def test_the_order_of_the_commit(tmp_path, monkeypatch):
    """Payload durable before the manifest, both and their folder before the rename, then the parent."""
    order, real_fsync, real_rename = [], os.fsync, Path.rename

    def fsync(fd):
        inode = os.fstat(fd).st_ino
        order.append(next(p.name for p in (tmp_path, *tmp_path.rglob("*")) if p.stat().st_ino == inode))
        real_fsync(fd)

    def rename(self, target):
        order.append(f"rename to {Path(target).name}")
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    commit(tmp_path, tensors(), manifest())
    temporary = f"tmp-{NAME}"
    assert order == ["state.safetensors", "manifest.json", temporary, f"rename to {NAME}", tmp_path.name]


@pytest.mark.parametrize("failing", [1, 2, 3, 4])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_failed_fsync_leaves_nothing_behind(tmp_path, monkeypatch, failing, number):
    calls = 0

    def fsync(fd):
        nonlocal calls
        calls += 1
        if calls == failing:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=os.strerror(number)):
        commit(tmp_path, tensors(), manifest())
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_kept_under_another_name(tmp_path):
    for number in ("", "-2", "-3"):
        commit(tmp_path, tensors(), manifest())
        assert set_aside(tmp_path / NAME).name == f"bad-{NAME}{number}"


def test_removing_takes_the_manifest_first(tmp_path, monkeypatch):
    commit(tmp_path, tensors(), manifest())
    monkeypatch.setattr(checkpoint.shutil, "rmtree", lambda *args, **more: None)  # killed in between
    remove(tmp_path / NAME)
    with pytest.raises(CheckpointError):
        read(tmp_path / NAME)


def names(*pairs):
    return [CheckpointName(seq, iteration, 1) for seq, iteration in pairs]


def test_the_last_three_the_best_and_each_tenth_stay():
    all_of_them = names(*[(i, i * 25) for i in range(1, 41)])  # 25 .. 1000 of 1000
    gone = {n.iteration for n in expendable(all_of_them, 1000, best_iteration=425)}
    kept = {n.iteration for n in all_of_them} - gone
    assert kept == {100, 200, 300, 400, 500, 600, 700, 800, 900, 1000, 950, 975, 425}


def test_few_checkpoints_all_stay():
    assert expendable(names((1, 5), (2, 9), (3, 12)), 1000, 0) == []


def test_what_a_run_needs_to_go_back_stays():
    five = names(*[(i, i * 10) for i in range(1, 6)])
    assert expendable(five, 10**6, 0) == five[:2]
    assert expendable(five, 10**6, 0, needed=five[:1]) == five[1:2]


def test_a_state_of_an_earlier_version_is_read():
    later = {
        "train_loss",
        "decay_from",
        "micro_batch",
        "scaler",
        "rollbacks",
        "guard_factor",
        "sample_offset",
    }
    earlier = {k: v for k, v in RunState(iteration=7).to_json().items() if k not in later}
    assert RunState.from_json(earlier) == RunState(iteration=7)


def test_a_state_of_a_later_version_is_refused():
    with pytest.raises(NewerVersion, match="invented"):
        RunState.from_json({**RunState().to_json(), "invented": 1})


@given(
    iteration=st.integers(0, 10**9), seconds=st.floats(0, 1e9),
    best=st.dictionaries(st.sampled_from(["val/psnr", "val/ssim"]), st.floats(-100, 100)),
)  # fmt: skip
def test_a_state_survives_its_json(iteration, seconds, best):
    state = RunState(iteration=iteration, seconds=seconds, best=best)
    assert RunState.from_json(json.loads(json.dumps(state.to_json()))) == state
