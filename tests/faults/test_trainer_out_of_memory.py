"""The kernel ends a trainer for lack of memory, in a control group of its own: it is told as what it is."""

import contextlib
import os
import secrets
from pathlib import Path

import pytest

from srqueue.run.reasons import JobState, StopReason
from tests.faults.queued import run_of, tensors

TAKES_TOO_MUCH_ONCE = """
import os
import once
from pathlib import Path
from workers.trainer.data.batches import Batches

real = Batches.__getitem__

def takes_too_much(self, sample):
    if sample == 800 and once.now():
        Path({group!r}, "cgroup.procs").write_text(str(os.getpid()))
        self.held = b"x" * (512 << 20)
    return real(self, sample)

Batches.__getitem__ = takes_too_much
"""

LIMIT = 64 << 20
"""Bytes that the group may take from then on."""


@pytest.fixture
def small_group():
    """A control group of version 1 or 2 with little memory and no swap."""
    name = f"srqueue-test-{secrets.token_hex(4)}"
    for root, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = Path(root, name)
        try:
            group.mkdir()
            (group / limit).write_text(str(LIMIT))
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        with contextlib.suppress(OSError):  # where swap is not counted
            (group / "memory.swap.max").write_text("0")
        yield group
        with contextlib.suppress(OSError):
            group.rmdir()
        return
    pytest.skip(f"no control group for memory can be made here (user {os.getuid()})")


def test_a_trainer_that_the_kernel_ends_for_lack_of_memory_goes_on_exactly(
    client, spec_for, start_worker, fault_in_trainers, undisturbed_job, small_group
):
    fault_in_trainers(TAKES_TOO_MUCH_ONCE.format(group=str(small_group)))
    worker = start_worker()
    job = client.submit(spec_for(client)).job
    done = client.wait(job.id, timeout=120)
    killed = client.store.attempts(job.id)[0]
    assert (killed.reason, killed.counted) == (StopReason.CRASHED, False)  # it had saved
    assert "SIGKILL" in killed.message and "memory" in killed.message
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 2)
    assert worker.process.poll() is None
    assert tensors(run_of(done)) == undisturbed_job
