"""The message that wakes a worker is lost with a client that took it, or comes twenty times at once."""

from ulid import ULID

from srqueue.queue.routing import TASK_RUN_JOB, queue_name
from tests.faults.queued import assert_exact, assert_one_run


def test_a_job_whose_message_was_never_sent_is_rung_for(client, spec_for, start_worker, undisturbed_job):
    spec = spec_for(client)
    start_worker()
    job_id = str(ULID())
    client.store.create(
        job_id, spec=spec.model_dump(mode="json"), origins={}, spec_id="s", name="silent", device_class="cpu",
        total_iter=spec.train.total_iter,
    )  # fmt: skip
    done = client.wait(job_id, timeout=120)
    assert_one_run(done)
    assert_exact(client, done, undisturbed_job)


def test_a_message_that_died_with_its_reader_is_rung_for_again(
    client, spec_for, start_worker, undisturbed_job
):
    job = client.submit(spec_for(client)).job
    redis = client.store.connection.redis
    lists = [key for key in redis.scan_iter(_type="list") if queue_name("cpu") in key or "any" in key]
    with redis.client() as reader:
        assert reader.brpop(lists, timeout=5)
    assert [key for key in lists if redis.llen(key)] == []
    start_worker()
    done = client.wait(job.id, timeout=120)
    assert_one_run(done)
    assert_exact(client, done, undisturbed_job)


def test_twenty_messages_under_a_running_job_are_one_run(client, running, start_worker, undisturbed_job):
    start_worker("w1")
    start_worker("w2")
    job = running()
    for _ in range(20):
        client.app.send_task(TASK_RUN_JOB, args=[job.id], queue=queue_name("cpu"), priority=4)
    done = client.wait(job.id, timeout=120)
    assert_one_run(done)
    assert_exact(client, done, undisturbed_job)
