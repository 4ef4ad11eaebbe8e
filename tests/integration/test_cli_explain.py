"""`srqueue explain` as it is typed, of real jobs."""

import json
import os
import shutil
import signal

import pytest

from srqueue.queue.client import Client
from srqueue.run.reasons import JobState
from tests.faults.queued import trainer_of


@pytest.fixture
def type_explain(typed, settings, tmp_path):
    run = typed(tmp_path)
    run.env |= {name: value for name, value in os.environ.items() if name.startswith("SRQUEUE_")}
    return lambda *args, **more: run("explain", *args, **more).stdout


@pytest.fixture
def client(settings):
    return Client(settings)


def test_a_job_is_explained_from_its_wait_to_its_end(
    client, settings, tiny_dataset, tiny_spec, type_explain, start_worker, wait_until, monkeypatch
):
    monkeypatch.setenv("SRQUEUE_BACKOFF", "60")
    job = client.submit(tiny_spec(tiny_dataset(settings).identity, 3000, val={"val_freq": 100})).job
    waiting = type_explain(job.short_id)
    assert "is queued" in waiting and "no worker is up" in waiting and "next: srqueue up" in waiting

    start_worker()
    wait_until(lambda: client.get(job.id).seq is not None, "a checkpoint is published")
    running = type_explain(job.short_id)
    assert "attempt 1 runs on w1@here" in running and "its lease is good for" in running
    assert "newest checkpoint: ckpt-" in running

    os.kill(trainer_of(client.get(job.id)).pid, signal.SIGKILL)
    wait_until(lambda: client.get(job.id).token == 2, "it goes on")
    retried = type_explain(job.short_id)
    assert "crashed: the trainer was ended by SIGKILL" in retried and "attempt 2 runs" in retried

    wait_until(lambda: trainer_of(client.get(job.id)), "its trainer is noted")
    os.kill(trainer_of(client.get(job.id)).pid, signal.SIGKILL)
    wait_until(lambda: client.get(job.id).failures == 1, "it has failed without a checkpoint")
    waits = type_explain(job.short_id)
    assert "failures in a row without a new checkpoint: 1 of 3" in waits
    assert "at once with: srqueue resume" in waits and "until" in waits

    client.resume(job.id)
    wait_until(lambda: client.get(job.id).state is JobState.RUNNING, "it runs")
    client.pause(job.id)
    wait_until(lambda: client.get(job.id).state is JobState.PAUSED, "it is paused")
    told = json.loads(type_explain(job.id, "--json"))
    assert [row[0] for row in told["attempts"]] == ["1", "2", "3"]
    assert told["attempts"][2][5].startswith("paused")
    assert told["next"] == f"srqueue resume {job.short_id}"

    folder = type_explain(client.get(job.id).run_dir)
    assert "its last attempt (3) ended: paused" in folder


def test_a_job_without_its_pictures_names_them(
    client, settings, tiny_dataset, tiny_spec, type_explain, start_worker, wait_until, tmp_path
):
    identity = tiny_dataset(settings).identity
    shutil.rmtree(tmp_path / "config")
    job = client.submit(tiny_spec(identity, 100)).job
    start_worker()
    wait_until(lambda: client.get(job.id).state is JobState.HELD, "it is held")
    held = type_explain(job.short_id)
    assert "is held" in held and "'tiny'" in held and "srqueue dataset add" in held


def test_what_is_no_job_is_told(type_explain, client):
    client.store.ping()
    type_explain("nobody", code=2)
    type_explain("/tmp/no-run-folder/", code=2)
