"""fsync fails within a save: that checkpoint is not there, the one before it is, and the training goes on."""

import signal

import pytest

from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from tests.faults.by_hand import TOTAL, assert_same
from workers.trainer.checkpoint import read

# Fails in the saves and at the syncs (payload, manifest, folder, parent: 1 to 4) that a plan names, and
# says which checkpoint it was; kills itself after the last.
FAILING = """
import errno, json, os, signal, sys
from workers.trainer.__main__ import main

number, plan, die = json.loads(sys.argv.pop(1))
real, save, sync, name = os.fsync, 0, 0, ""

def fsync(fd):
    global save, sync, name
    path = os.readlink(f"/proc/self/fd/{fd}")
    if "/checkpoints" not in path:
        return real(fd)
    if path.endswith("state.safetensors"):
        save, sync, name = save + 1, 0, path.split("/")[-2].removeprefix("tmp-")
        if die and not plan:
            os.kill(os.getpid(), signal.SIGKILL)
    sync += 1
    if plan and plan[0] == [save, sync]:
        del plan[0]
        print("failed", name, flush=True)
        raise OSError(number, os.strerror(number), path)
    return real(fd)

os.fsync = fsync
sys.exit(main())
"""


@pytest.mark.parametrize(("error", "number"), [("EIO", 5), ("ENOSPC", 28)])
def test_a_failed_sync_costs_one_checkpoint(job, undisturbed, error, number):
    plan = [[2, 1], [4, 2], [5, 3], [7, 4]]
    process = job.start(1, code=(FAILING, f"[{number}, {plan}, true]"))
    assert process.wait(120) == -signal.SIGKILL
    lines = job.run.attempt(1).log_file.read_text().splitlines()
    failed = {line.split()[1] for line in lines if line.startswith("failed ")}
    assert len(failed) == len(plan)
    committed = {e.data["name"] for e in job.run.events() if e.kind == "checkpoint"}
    assert len(committed) == 3 and not committed & failed
    assert not {str(name) for name in job.run.checkpoint_names()} & failed
    for name in job.run.checkpoint_names():
        read(job.run.checkpoints / str(name))
    assert 0 < job.newest().iteration < TOTAL
    assert job.finish(2, job.newest()).reason is StopReason.COMPLETED
    assert list(job.run.checkpoints.glob("tmp-*")) == []
    assert_same(job, undisturbed)


def test_three_saves_in_a_row_that_the_disk_refuses_end_the_attempt(job, undisturbed):
    process = job.start(1, code=(FAILING, "[5, [[2, 1], [3, 2], [4, 4]], false]"))
    assert process.wait(120) == 1
    outcome = Outcome.read(job.run.attempt(1).outcome_file)
    assert outcome.reason is StopReason.CRASHED and "Input/output error" in outcome.message
    assert job.newest().seq == 1
    assert job.finish(2, job.newest()).reason is StopReason.COMPLETED
    assert_same(job, undisturbed)
