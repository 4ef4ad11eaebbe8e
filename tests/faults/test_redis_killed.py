"""Redis dies under a training, and comes back."""

import time

from tests.faults.queued import assert_one_run, assert_stream_is_whole, iteration_on_disk


def test_redis_killed_and_restarted_under_a_running_job_changes_nothing(
    own_client, own_valkey, submit, start_worker, wait_until
):
    client = own_client
    start_worker("w1")
    start_worker("w2")
    job = submit(client)
    own_valkey.kill()
    seen = iteration_on_disk(job)
    wait_until(lambda: iteration_on_disk(job) > seen + 400, "the training goes on without Redis")
    own_valkey.start()
    done = client.wait(job.id, timeout=60)
    assert_one_run(done)
    assert_stream_is_whole(client, done)


def test_redis_away_for_a_minute_hears_afterwards_how_it_ended(
    own_client, own_valkey, submit, start_worker, wait_until
):
    """Longer than any lease here, and than the training."""
    client = own_client
    start_worker("w1")
    start_worker("w2")
    job = submit(client)
    own_valkey.kill()
    begun = time.monotonic()
    seen = iteration_on_disk(job)
    wait_until(lambda: iteration_on_disk(job) > seen + 400, "the training goes on without Redis")
    time.sleep(max(0.0, begun + 60 - time.monotonic()))
    own_valkey.start()
    done = client.wait(job.id, timeout=60)
    assert_one_run(done)
    assert_stream_is_whole(client, done)
