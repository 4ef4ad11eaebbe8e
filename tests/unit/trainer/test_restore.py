"""Which checkpoint an attempt goes on from."""

import errno
from pathlib import Path

import pytest
import torch

from srqueue.errors import CheckpointError, SpecError
from srqueue.run.folder import CheckpointName, RunDir
from workers.trainer.checkpoint import Manifest, commit
from workers.trainer.data.decode import DataMissing
from workers.trainer.restore import restore
from workers.trainer.state import RunState

DATA = {"train": "a", "val": "a"}
NAMES = [
    CheckpointName(1, 10, 1),
    CheckpointName(2, 20, 1),
    CheckpointName(2, 15, 2),
    CheckpointName(3, 30, 4),
]


@pytest.fixture
def run(tmp_path):
    """Attempts 1, 2 and 4 left checkpoints; attempt 2 went on from the first."""
    run = RunDir(tmp_path / "job").create()
    for name in NAMES:
        state = RunState(iteration=name.iteration, seq=name.seq).to_json()
        manifest = Manifest(str(name), None, "spec", DATA, {}, 0, state)
        commit(run.checkpoints, {"model/w": torch.tensor([float(name.iteration)])}, manifest)
    return run


def damage(run, name):
    (run.checkpoints / str(name) / "state.safetensors").write_bytes(b"")


def attempt_at(run, token, resume):
    return run.write_attempt(token, resume)


def found(run, attempt, told=None):
    result = restore(run, attempt, "spec", DATA, (told if told is not None else []).append)
    return result and result.name


def test_the_named_checkpoint_is_taken(run):
    assert found(run, attempt_at(run, 5, NAMES[3])) == NAMES[3]
    assert found(run, attempt_at(run, 6, NAMES[0])) == NAMES[0]


def test_without_a_name_the_run_starts_afresh(run):
    assert found(run, attempt_at(run, 5, None)) is None


def test_a_damaged_one_is_set_aside_and_told_and_the_next_by_token_and_seq_is_taken(run):
    damage(run, NAMES[3])
    damage(run, NAMES[2])
    told = []
    assert found(run, attempt_at(run, 5, NAMES[3]), told) == NAMES[1]
    assert [p.name for p in sorted(run.checkpoints.glob("bad-*"))] == [f"bad-{NAMES[2]}", f"bad-{NAMES[3]}"]
    assert len(told) == 2
    assert f"bad-{NAMES[3]}" in told[0]


def test_a_named_checkpoint_that_is_gone_falls_back_too(run):
    assert found(run, attempt_at(run, 5, CheckpointName(4, 40, 4))) == NAMES[3]


def test_a_later_attempts_checkpoint_is_never_taken(run):
    assert found(run, attempt_at(run, 3, NAMES[3])) == NAMES[2]


def test_with_none_whole_the_run_does_not_start_from_zero(run):
    for name in NAMES:
        damage(run, name)
    with pytest.raises(CheckpointError, match="no whole checkpoint"):
        found(run, attempt_at(run, 5, NAMES[3]))


def test_a_checkpoint_of_another_spec_or_other_pictures_is_refused_but_not_set_aside(run):
    attempt = attempt_at(run, 5, NAMES[3])
    with pytest.raises(SpecError):
        restore(run, attempt, "other", DATA, print)
    with pytest.raises(DataMissing):
        restore(run, attempt, "spec", {"train": "b", "val": "a"}, print)
    assert list(run.checkpoints.glob("bad-*")) == []


def test_what_a_killed_attempt_left_half_written_is_swept(run):
    (run.checkpoints / "tmp-ckpt-000009-it90-t4").mkdir()
    found(run, attempt_at(run, 5, NAMES[3]))
    assert list(run.checkpoints.glob("tmp-*")) == []


@pytest.mark.parametrize("file", ["state.safetensors", "manifest.json"])
def test_what_cannot_be_read_now_stays_where_it_is(run, monkeypatch, file):
    """A disk or a server that fails for a moment is no damage."""
    real, failing = Path.open, {str(NAMES[3])}

    def fail(path, mode="r", *args, **more):
        if path.name == file and path.parent.name in failing:
            raise OSError(errno.EIO, "Input/output error", str(path))
        return real(path, mode, *args, **more)

    monkeypatch.setattr(Path, "open", fail)
    told = []
    assert found(run, attempt_at(run, 5, NAMES[3]), told) == NAMES[2]
    assert "cannot be read now (Input/output error)" in told[0]
    failing |= {str(name) for name in NAMES}
    with pytest.raises(CheckpointError, match="no whole checkpoint"):
        found(run, attempt_at(run, 6, NAMES[3]))
    assert list(run.checkpoints.glob("bad-*")) == []
    failing.clear()
    assert found(run, attempt_at(run, 7, NAMES[3])) == NAMES[3]


def test_half_written_files_of_killed_attempts_are_removed(run):
    old, own = attempt_at(run, 4, NAMES[3]), attempt_at(run, 5, NAMES[3])
    litter = [run.path / ".job.json.1.tmp", old.path / ".outcome.json.2.tmp", run.export / ".x.png.3.tmp"]
    being_written = own.path / ".attempt.json.4.tmp"
    for file in (*litter, being_written):
        file.write_text("half")
    found(run, own)
    assert not any(file.exists() for file in litter) and being_written.exists()
