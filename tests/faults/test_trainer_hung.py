"""A trainer that does not go on: its stack is in its log, and the next attempt goes on exactly."""

from srqueue.run.reasons import JobState, StopReason
from tests.faults.queued import run_of, tensors

SLEEPS_ONCE = """
import time
import once
from workers.trainer.data.batches import Batches

real = Batches.__getitem__

def sleeps_for_ever(self, sample):
    if sample == 800 and once.now():
        while True:
            time.sleep(1)
    return real(self, sample)

Batches.__getitem__ = sleeps_for_ever
"""


def test_a_hung_trainer_is_ended_with_its_stack_and_goes_on_exactly(
    client, spec_for, start_worker, fault_in_trainers, undisturbed_job, monkeypatch
):
    monkeypatch.setenv("SRQUEUE_HANG", "2")
    fault_in_trainers(SLEEPS_ONCE)
    start_worker()
    job = client.submit(spec_for(client)).job
    done = client.wait(job.id, timeout=120)
    hung = client.store.attempts(job.id)[0]
    assert (hung.reason, hung.counted, hung.failures) == (StopReason.HUNG, False, 0)  # it had saved
    assert "it did not go on; it stood in sleeps_for_ever (fault.py:" in hung.message
    assert "Current thread" in run_of(done).attempt(1).log_file.read_text()
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 2)
    assert tensors(run_of(done)) == undisturbed_job
