"""CLIENT KILL on every connection, again and again."""

from tests.faults.queued import assert_one_run, assert_stream_is_whole


def test_lost_connections_change_nothing(client, running, start_worker, wait_until):
    start_worker("w1")
    start_worker("w2")
    job = running()
    redis = client.store.connection.redis
    for _ in range(5):
        redis.client_kill_filter(_type="normal", skipme=True)
        redis.client_kill_filter(_type="pubsub", skipme=True)
        seen = client.get(job.id).iteration
        wait_until(lambda s=seen: client.get(job.id).iteration > s, "the job is reported on")
    done = client.wait(job.id, timeout=60)
    assert_one_run(done)
    assert_stream_is_whole(client, done)
