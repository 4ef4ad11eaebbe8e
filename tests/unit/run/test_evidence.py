"""What is read from a run folder to explain it."""

import os
import time

import pytest

from srqueue.run import evidence
from srqueue.run.atomic import write_json
from srqueue.run.events import EventWriter
from srqueue.run.evidence import ATTEMPTS_READ, LAST_LINES, gather
from srqueue.run.folder import CheckpointName, RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason


@pytest.fixture
def run(tmp_path):
    run = RunDir(tmp_path / "job").create()
    write_json(run.spec_file, {"name": "cc0", "train": {"total_iter": 100}})
    return run


def written(run, token, resume=None, **noted):
    attempt = run.write_attempt(token, resume, host="here", device="cpu", **noted)
    return attempt, EventWriter(attempt.events_file, token)


def test_no_folder_and_an_empty_one(run, tmp_path):
    assert gather(RunDir(tmp_path / "none"), 0) is None
    found = gather(run, time.time())
    assert (found.name, found.total_iter, found.attempts, found.newest) == ("cc0", 100, (), None)


def test_an_attempt_tells_where_it_began_what_changed_and_how_it_ended(run):
    attempt, events = written(run, 2, CheckpointName(4, 50, 1))
    events.write("phase", 40, phase="restored", seq=3, from_token=1, from_offset=0)
    events.write("fingerprint", 40, threads=2, changed={"threads": [1, 2]})
    events.write("message", 40, level="warning", text="careful")
    events.write("message", 40, level="info", text="by the way")
    events.write("train", 60, loss=1.0)
    attempt.log_file.write_text("\n".join(f"line {n}" for n in range(50)))
    attempt.beat_file.write_text("1 120.0")
    os.utime(attempt.beat_file, (1000, 1000))
    Outcome(StopReason.PAUSED, "paused", 61).write(attempt.outcome_file)
    found = gather(run, time.time()).attempt(2)
    assert found.resumed == "ckpt-000003-it40-t1"  # the one that was asked for was damaged
    assert (found.changed, found.warnings, found.reached) == ("threads 1 -> 2", ("careful",), 60)
    assert found.outcome.reason is StopReason.PAUSED and found.alive == 1000
    assert found.last_lines[-1] == "line 49" and len(found.last_lines) == LAST_LINES


def test_checkpoints_decisions_and_what_was_set_aside(run):
    name = CheckpointName(2, 20, 1)
    folder = run.checkpoints / str(name)
    folder.mkdir()
    decisions = [{"iteration": n, "by": "plateau", "did": "cut", "reason": "flat"} for n in range(5)]
    write_json(folder / "manifest.json", {"state": {"decisions": decisions, "bad_pictures": ["a.png"]}})
    os.utime(folder, (1000, 1000))
    (run.checkpoints / "bad-ckpt-000003-it30-t1").mkdir()
    found = gather(run, 1060)
    assert (found.newest, found.saved) == (name, 60)
    assert found.set_aside == ("bad-ckpt-000003-it30-t1",) and found.bad_pictures == ("a.png",)
    assert found.decided == 5 and found.decisions[-1] == "iteration 4: plateau cut (flat)"
    (folder / "manifest.json").write_text("torn")
    assert gather(run, 1060).newest == name


def test_an_attempt_that_was_killed_before_it_was_noted(run):
    (run.path / "attempts" / "1").mkdir()
    (found,) = gather(run, time.time()).attempts
    assert found.token == 1 and found.outcome is None and found.last_lines == ()


def test_of_long_files_and_many_attempts_only_a_part_is_read(run, monkeypatch):
    monkeypatch.setattr(evidence, "_HEAD_BYTES", 2000)
    monkeypatch.setattr(evidence, "_TAIL_BYTES", 2000)
    _, events = written(run, 1)
    events.write("message", 0, level="warning", text="first")
    for n in range(1000):
        events.write("message" if n == 500 else "train", n, level="warning", text="middle")
    events.write("message", 1000, level="warning", text="last")
    (found,) = gather(run, time.time()).attempts
    assert found.warnings == ("first", "last") and found.reached == 1000
    for token in range(2, 40):
        written(run, token)
    found = gather(run, time.time())
    assert (
        found.attempts_made == 39 and len(found.attempts) == ATTEMPTS_READ and found.attempts[-1].token == 39
    )
