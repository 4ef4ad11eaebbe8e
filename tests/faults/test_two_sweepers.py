"""Three workers sweep at the same moment, and one lease has run out."""

from srqueue.run.reasons import JobState
from tests.faults.queued import run_of, split, tensors


def test_an_expired_lease_is_taken_over_exactly_once(client, running, start_worker, undisturbed_job):
    workers = [start_worker(name) for name in ("w1", "w2", "w3")]
    job = running()
    own, others = split(workers, job)
    own.kill_main()
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.token, done.attempts, done.failures) == (JobState.SUCCEEDED, 2, 2, 0)
    assert [a.token for a in run_of(done).attempts()] == [1, 2]
    assert tensors(run_of(done)) == undisturbed_job
    assert all(w.process.poll() is None and "Traceback" not in w.text() for w in others)
