"""Two trainers want one GPU: the second waits, heeds requests while it does, and then trains exactly."""

import json
import os
import signal

from srqueue.run.events import read_events
from srqueue.run.folder import RunDir
from srqueue.run.reasons import StopReason
from tests.faults.by_hand import Job, assert_same


def test_the_second_trainer_waits_and_then_trains_exactly(job, undisturbed, tmp_path, wait_until):
    lock = tmp_path / "gpu.lock"
    other = Job(RunDir(tmp_path / "runs" / "other").create(), job.listing, job.processes)
    other.run.spec_file.write_text(job.run.spec_file.read_text())
    for each in (job, other):
        each.given["device_lock"] = str(lock)
    first = other.start(1, supervised=True)
    wait_until(lambda: other.saved_by(1), "the first one trains")
    os.kill(first.pid, signal.SIGSTOP)
    second = job.start(1, supervised=True)
    log = job.run.attempt(1).log_file
    wait_until(lambda: "waiting for the GPU, which job other" in log.read_text(), "the second one waits")

    second.stdin.write(json.dumps({"stop": "drained"}).encode() + b"\n")
    second.stdin.flush()
    assert second.wait(30) == 0
    assert (job.outcome(1).reason, job.outcome(1).iteration) == (StopReason.DRAINED, 0)

    (told,) = [event for event, _ in read_events(job.run.attempt(1).events_file)]
    assert (told.kind, told.it, told.n) == ("message", 0, 0) and "which job other" in told.data["text"]

    third = job.start(2)
    wait_until(lambda: "waiting" in job.run.attempt(2).log_file.read_text(), "it waits again")
    first.kill()  # the kernel frees the lock of a stopped one, too
    assert third.wait(120) == 0
    assert job.outcome(2).reason is StopReason.COMPLETED
    numbers = [event.n for event, _ in read_events(job.run.attempt(2).events_file)]
    assert numbers == list(range(len(numbers)))  # those of before it trained, too
    assert_same(job, undisturbed)
