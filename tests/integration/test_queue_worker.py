"""A real worker with the real trainer: from submit to result."""

import json
import threading
from pathlib import Path

import pytest
from ulid import ULID

from srqueue.datasets import Registry
from srqueue.queue.client import Client
from srqueue.queue.routing import TASK_RUN_JOB, queue_name
from srqueue.run.events import Event
from srqueue.run.folder import RunDir
from srqueue.run.pictures import picture_file
from srqueue.run.reasons import JobState, StopReason


@pytest.fixture
def client(settings):
    return Client(settings)


@pytest.fixture
def spec(settings, tiny_dataset, tiny_spec):
    return tiny_spec(tiny_dataset(settings).identity, 200)


@pytest.fixture
def celery_events(client, wait_until):
    """Every event of the workers, as Flower would receive it."""
    seen = []
    with client.app.connection_for_read() as connection:
        receiver = client.app.events.Receiver(connection, handlers={"*": seen.append})
        thread = threading.Thread(target=receiver.capture, kwargs={"wakeup": False}, daemon=True)
        thread.start()
        wait_until(lambda: client.store.connection.redis.pubsub_numpat() > 0, "the receiver listens")
        yield seen
        receiver.should_stop = True
        thread.join(10)


def test_a_job_goes_from_submit_to_a_model_and_is_watched_on_its_way(
    client, spec, start_worker, celery_events, wait_until
):
    worker = start_worker(WARM="true")
    (announced,) = wait_until(client.store.workers, "the worker announces itself")
    assert (announced.pid, announced.classes) == (worker.process.pid, ("cpu", "any"))
    used, memory = announced.load["memory_mib"]
    assert 0 < used < memory and 0 <= announced.load["cpu"] <= 100 and announced.load["gpus"] == []

    job = client.submit(spec).job
    followed = list(client.events(job.id, follow=True))
    done = client.wait(job.id, timeout=60)

    assert (done.state, done.reason) == (JobState.SUCCEEDED, StopReason.COMPLETED)
    assert (done.iteration, done.token, done.attempts, done.failures) == (200, 1, 1, 0)
    assert done.seq is not None and done.metrics["best/psnr"] > 20
    assert {"loss", "lr", "it_s", "psnr", "ssim", "best_psnr", "bicubic_psnr"} <= done.progress.keys()
    assert (RunDir(Path(done.run_dir)).export / "tiny_x2.safetensors").is_file()

    # The stream holds every line of the file, in order.
    lines = RunDir(Path(done.run_dir)).attempt(1).events_file.read_text().splitlines()
    assert [e.n for e in followed] == [json.loads(line)["n"] for line in lines]
    assert all(isinstance(e, Event) for e in followed)

    # So are, for other machines, the newest pictures and what the trainer printed.
    stored = client.store.pictures(job.id)
    assert (stored.iteration, [crop.name for crop in stored.crops]) == (200, ["held_out.png"])
    assert stored.images["0/model"] == picture_file(RunDir(Path(done.run_dir)), 0, "200").read_bytes()
    printed = client.store.log_tail(job.id)
    assert printed[0].endswith("0/200  started") and printed[-1].endswith("200/200  finished")

    shown = [e["result"] for e in celery_events if e["type"] == "task-progress"]
    assert shown and all(text.endswith(f"tiny {job.short_id}") for text in shown)
    assert shown[0].startswith("it ")
    wait_until(lambda: any(e["type"] == "task-succeeded" for e in celery_events), "task-succeeded")
    assert "Traceback" not in worker.text()


def test_twenty_messages_are_one_run(client, spec, start_worker, wait_until):
    job = client.submit(spec).job
    for _ in range(20):
        client.app.send_task(TASK_RUN_JOB, args=[job.id], queue=queue_name("cpu"), priority=4)
    start_worker("w1", WARM="true")
    start_worker("w2", WARM="true")
    assert client.wait(job.id, timeout=60).state is JobState.SUCCEEDED
    done = client.get(job.id)
    assert (done.attempts, done.token) == (1, 1)
    assert [a.token for a in RunDir(Path(done.run_dir)).attempts()] == [1]


def test_a_lost_message_is_rung_for_again(client, spec, start_worker):
    job = client.submit(spec).job
    assert client.app.control.purge() == 1
    start_worker()
    assert client.wait(job.id, timeout=60).state is JobState.SUCCEEDED


def test_a_job_whose_data_is_not_here_is_held_and_goes_on_when_it_is(
    client, settings, spec, start_worker, tiny_dataset, wait_until
):
    Registry(settings).remove("tiny")
    job = client.submit(spec).job
    start_worker()
    wait_until(lambda: client.get(job.id).state is JobState.HELD, "the job is held")
    held = client.get(job.id)
    assert held.reason is StopReason.DATA_MISSING
    assert "tiny" in held.message and "srqueue dataset add" in held.message
    assert held.not_before is not None
    tiny_dataset(settings)
    client.resume(job.id)
    assert client.wait(job.id, timeout=60).state is JobState.SUCCEEDED


def test_a_job_that_fails_is_a_failed_task_without_a_traceback(
    client, settings, spec, start_worker, celery_events, wait_until
):
    raw = {**spec.model_dump(mode="json"), "scale": 7}
    client.store.create(str(ULID()), spec=raw, origins={}, spec_id="x", name="broken", total_iter=1)
    worker = start_worker()
    (job,) = client.list()
    failed = client.wait(job.id, timeout=30)
    assert (failed.state, failed.reason) == (JobState.FAILED, StopReason.SPEC_INVALID)
    assert "scale" in failed.message
    told = wait_until(lambda: [e for e in celery_events if e["type"] == "task-failed"], "task-failed")
    assert "JobFailed" in told[0]["exception"] and "scale" in told[0]["exception"]
    assert "Traceback" not in worker.text()


def test_a_worker_without_a_runs_root_claims_nothing_and_says_why(
    client, spec, start_worker, settings, wait_until
):
    settings.runs_root.write_text("a file where the folder should be")
    worker = start_worker()
    job = client.submit(spec).job
    wait_until(lambda: "cannot use its runs root" in worker.text(), "the worker says so")
    left = client.get(job.id)
    assert (left.state, left.attempts) == (JobState.QUEUED, 0)
    assert "Traceback" not in worker.text()


def test_an_idle_worker_ends_at_once_and_takes_back_its_announcement(client, start_worker, wait_until):
    worker = start_worker()
    wait_until(client.store.workers, "the worker announces itself")
    worker.terminate()
    assert worker.process.wait(20) == 0
    assert client.store.workers() == ()
