"""The network between one worker and Redis drops everything, and closes nothing."""

import time

from srqueue.run.reasons import JobState
from tests.faults.queued import (
    Published,
    assert_exact,
    assert_one_run,
    assert_stream_is_whole,
    gone,
    iteration_on_disk,
    run_of,
    trainer_of,
)


def test_a_cut_shorter_than_the_lease_changes_nothing(
    client, submit, start_worker, proxy, undisturbed_job, wait_until
):
    start_worker("w1", host="first", REDIS_URL=proxy.url, LEASE="20")
    start_worker("w2", host="second", LEASE="20")
    job = submit(client)
    proxy.dropping = True
    seen, since = iteration_on_disk(job), time.monotonic()
    wait_until(lambda: iteration_on_disk(job) > seen, "the training goes on")
    time.sleep(max(0.0, 4 - (time.monotonic() - since)))  # longer than a call waits for its answer
    proxy.dropping = False
    done = client.wait(job.id, timeout=120)
    assert_one_run(done)
    assert_stream_is_whole(client, done)
    assert_exact(client, done, undisturbed_job)


def test_a_cut_longer_than_the_lease_is_a_takeover(
    client, submit, start_worker, proxy, undisturbed_job, wait_until
):
    cut = start_worker("w1", host="first", REDIS_URL=proxy.url)
    job = submit(client)
    old, published = trainer_of(job), Published(client, job)
    run = run_of(job)
    proxy.dropping = True
    start_worker("w2", host="second")
    wait_until(lambda: published.look() and client.get(job.id).token == 2, "another worker takes over")
    wait_until(lambda: gone(old), "the old trainer ends")
    wait_until(lambda: published.look() and published.seen[-1][0] == 2, "the successor publishes")
    proxy.dropping = False
    done = client.wait(job.id, timeout=120)
    published.assert_grown()
    assert (done.state, done.token, done.failures) == (JobState.SUCCEEDED, 2, 0)
    assert [a.token for a in run.attempts()] == [1, 2]
    assert_exact(client, done, undisturbed_job)
    assert cut.process.poll() is None
