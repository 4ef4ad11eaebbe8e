"""SIGKILL to the trainer after each new commit."""

from srqueue.run.reasons import StopReason
from tests.faults.by_hand import TOTAL, assert_same


def test_sigkill_after_each_new_commit(job, undisturbed, wait_until):
    for token in (1, 2, 3):
        process = job.start(token, job.newest(), fresh=token == 1)
        wait_until(lambda: job.saved_by(token), "a commit of this attempt")  # noqa: B023
        process.kill()
        process.wait()
        assert job.outcome(token) is None
        assert 0 < job.newest().iteration < TOTAL
    assert job.finish(4, job.newest(), fresh=True).reason is StopReason.COMPLETED
    assert_same(job, undisturbed)
