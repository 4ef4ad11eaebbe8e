"""One machine: its only worker is killed, and started again."""

import time

import pytest

from srqueue.queue.client import Client
from srqueue.run.reasons import JobState
from tests.faults.queued import run_of, tensors


@pytest.fixture
def client(environment, valkey):
    # Long beside the seconds that a worker takes to start.
    return Client(environment(valkey, LEASE="30"))


def test_a_worker_that_has_just_started_takes_over_after_the_lease(
    client, submit, start_worker, wait_until, undisturbed_job
):
    worker = start_worker("w1")
    job = submit(client)
    # As if it were another machine's: of its own the new worker would know at once that it is dead.
    client.store.connection.redis.hset(client.store.keys.job(job.id), "machine", "")
    worker.kill_main()
    redis, leases = client.store.connection.redis, client.store.keys.leases
    time.sleep(3)  # whoever waited for a lease of his own would be late by that much and his start
    lease_ends = redis.zscore(leases, job.id)
    start_worker("w2")
    assert client.get(job.id).state is JobState.RUNNING
    wait_until(lambda: client.get(job.id).token == 2, "the new worker takes over", 90)
    assert 0 <= time.time() - lease_ends < 5
    done = client.wait(job.id, timeout=60)
    assert (done.state, done.attempts) == (JobState.SUCCEEDED, 2)
    assert tensors(run_of(done)) == undisturbed_job
