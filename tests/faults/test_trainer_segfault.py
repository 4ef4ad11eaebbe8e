"""A crash in native code, once: it is counted, told with its stack, and the run goes on exactly."""

from srqueue.run.reasons import JobState, StopReason
from tests.faults.queued import run_of, tensors

CRASHES_ONCE = """
import ctypes
import once
from workers.trainer.data.batches import Batches

real = Batches.__getitem__

def crashes(self, sample):
    if sample == 800 and once.now():
        ctypes.string_at(0)
    return real(self, sample)

Batches.__getitem__ = crashes
"""


def test_a_segmentation_fault_is_told_and_costs_only_time(
    client, spec_for, start_worker, fault_in_trainers, undisturbed_job
):
    fault_in_trainers(CRASHES_ONCE)
    worker = start_worker()
    job = client.submit(spec_for(client)).job
    done = client.wait(job.id, timeout=120)
    crashed = client.store.attempts(job.id)[0]
    assert (crashed.reason, crashed.counted) == (StopReason.CRASHED, False)  # it had saved
    assert "SIGSEGV (segmentation fault)" in crashed.message
    assert "Fatal Python error: Segmentation fault" in crashed.message and "in crashes" in crashed.message
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 2)
    assert worker.process.poll() is None
    assert tensors(run_of(done)) == undisturbed_job
