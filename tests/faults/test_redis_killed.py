"""Redis dies under a training, and comes back."""

import time

import pytest

from tests.faults.queued import assert_one_run, assert_stream_is_whole, iteration_on_disk


@pytest.mark.parametrize("seconds", [0, 60])
def test_redis_killed_and_restarted_under_a_running_job_changes_nothing(
    own_client, own_valkey, submit, start_worker, wait_until, seconds
):
    """A minute is longer than any lease here, and than the training: how it ended is told afterwards."""
    client = own_client
    start_worker("w1")
    start_worker("w2")
    job = submit(client)
    own_valkey.kill()
    begun = time.monotonic()
    seen = iteration_on_disk(job)
    wait_until(lambda: iteration_on_disk(job) > seen + 400, "the training goes on without Redis")
    time.sleep(max(0.0, begun + seconds - time.monotonic()))
    own_valkey.start()
    done = client.wait(job.id, timeout=60)
    assert_one_run(done)
    assert_stream_is_whole(client, done)
