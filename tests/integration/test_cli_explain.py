"""`srqueue explain` as it is typed, of real jobs."""

import json
import os
import re
import shutil
import signal

import pytest

from srqueue.queue.client import Client
from srqueue.run.reasons import JobState
from tests.faults.queued import run_of, trainer_of


@pytest.fixture
def pictures(pictures, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(pictures, tmp_path / "pictures")


@pytest.fixture
def type_here(typed, settings, tmp_path):
    run = typed(tmp_path)
    run.env |= {name: value for name, value in os.environ.items() if name.startswith("SRQUEUE_")}
    return run


@pytest.fixture
def type_explain(type_here):
    return lambda *args, **more: type_here("explain", *args, **more).stdout


@pytest.fixture
def client(settings):
    return Client(settings)


def test_a_job_is_explained_from_its_wait_to_its_end(
    client, settings, tiny_dataset, tiny_spec, type_explain, start_worker, wait_until, monkeypatch
):
    monkeypatch.setenv("SRQUEUE_BACKOFF", "60")
    monkeypatch.setenv(
        "SRQUEUE_WARM", "false"
    )  # the second attempt must be slow enough to die before it saves
    job = client.submit(tiny_spec(tiny_dataset(settings).identity, 3000, val={"val_freq": 100})).job
    waiting = type_explain(job.short_id)
    assert "is queued" in waiting and "no worker is up" in waiting and "next: srqueue up" in waiting

    start_worker()
    wait_until(lambda: client.get(job.id).seq is not None, "a checkpoint is published")
    running = type_explain(job.short_id)
    assert "attempt 1 runs on w1@here (host " in running and "lease" in running
    assert "newest checkpoint: ckpt-" in running and "a kill now would cost" in running

    os.kill(trainer_of(client.get(job.id)).pid, signal.SIGKILL)
    wait_until(lambda: client.get(job.id).token == 2, "it goes on")
    retried = type_explain(job.short_id)
    assert "crashed: the trainer was ended by SIGKILL" in retried and "attempt 2 runs" in retried

    wait_until(lambda: trainer_of(client.get(job.id)), "its trainer is noted")
    os.kill(trainer_of(client.get(job.id)).pid, signal.SIGKILL)
    wait_until(lambda: client.get(job.id).failures == 1, "it has failed without a checkpoint")
    waits = type_explain(job.short_id)
    assert "failures in a row without a new checkpoint: 1 of 3" in waits
    assert "at once with: srqueue resume" in waits and "now it waits until" in waits
    assert "attempt 2 on w1@here ended" in waits and "(failure 1 of 3) -> queued" in waits

    client.resume(job.id)
    wait_until(lambda: client.get(job.id).state is JobState.RUNNING, "it runs")
    client.pause(job.id)
    wait_until(lambda: client.get(job.id).state is JobState.PAUSED, "it is paused")
    told = json.loads(type_explain(job.id, "--json"))
    assert [attempt["token"] for attempt in told["attempts"]] == [1, 2, 3]
    assert told["attempts"][2]["reason"] == "paused" and told["attempts"][1]["counted"]
    assert told["job"]["state"] == "paused" and told["why"][0].startswith("paused ")
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
    assert "it is looked at again by itself" in held and f"at once: srqueue resume {job.short_id}" in held


def test_a_resumed_job_without_one_of_its_pictures_names_the_file(
    client, settings, pictures, tiny_dataset, tiny_spec, type_explain, start_worker, wait_until
):
    spec = tiny_spec(tiny_dataset(settings).identity, 100_000, val={"val_freq": 200})
    job = client.submit(spec).job
    start_worker()
    wait_until(lambda: client.get(job.id).seq is not None, "a checkpoint is published")
    file = pictures / "b.png"
    file.unlink()
    trainer_of(client.get(job.id)).kill()
    wait_until(lambda: client.get(job.id).state is JobState.HELD, "it is held")
    held = type_explain(job.short_id)
    assert "data_missing, " in held and f"(where: {file}" in held
    assert "crashed: the trainer was ended by SIGKILL" in held and "newest checkpoint: ckpt-" in held


def test_a_job_that_failed_three_times_shows_its_last_words(
    client, settings, tiny_dataset, tiny_spec, type_explain, start_worker, wait_until
):
    never = {"logger": {"print_freq": 20, "save_checkpoint_seconds": 600}, "val": {"val_freq": 50_000}}
    job = client.submit(tiny_spec(tiny_dataset(settings).identity, 100_000, **never)).job
    start_worker()
    for token in (1, 2, 3):
        wait_until(lambda t=token: client.get(job.id).token == t, f"attempt {token} begins")
        trainer = wait_until(lambda: trainer_of(client.get(job.id)), "the trainer is noted")
        log = run_of(client.get(job.id)).attempt(token).log_file
        wait_until(lambda log=log: "loss" in log.read_text(), "it trains")
        trainer.kill()
    done = client.wait(job.id, timeout=60)
    failed = type_explain(job.short_id)
    assert "is failed" in failed and "that was the end of attempt 3 on w1@here" in failed
    assert "SIGKILL" in failed and failed.count("-> queued, again after") == 2
    assert "(failure 3 of 3) -> failed" in failed
    assert f"the last lines of {done.run_dir}/attempts/3/log:" in failed and "  loss " in failed
    assert failed.rstrip().endswith(f"then: srqueue retry {job.short_id}")


def test_a_job_whose_worker_was_killed_says_so_until_another_takes_over(
    client, settings, tiny_dataset, tiny_spec, type_here, type_explain, start_worker, wait_until
):
    often = {"logger": {"print_freq": 20, "save_checkpoint_seconds": 1}, "val": {"val_freq": 200}}
    job = client.submit(tiny_spec(tiny_dataset(settings).identity, 100_000, **often)).job
    worker = start_worker("w1")
    wait_until(lambda: client.get(job.id).seq is not None, "a checkpoint is published")
    worker.kill_main()
    wait_until(lambda: client.store.moments(job.id).lease_left < 0, "its lease runs out")
    lost = type_explain(job.short_id)
    assert "its lease ran out" in lost and "no other worker can take over" in lost
    assert lost.rstrip().endswith("srqueue up")
    shown = type_here("show", job.short_id).stdout
    assert "lease       ran out" in shown and f"(srqueue explain {job.short_id})" in shown

    start_worker("w2")
    wait_until(lambda: client.get(job.id).token == 2, "it is taken over")
    taken = type_explain(job.short_id)
    assert "attempt 2 runs on w2@here" in taken and re.search(r"worker_lost: .* -> queued", taken)


def test_without_redis_the_run_folder_is_named(type_here, settings):
    gone = type_here("explain", "nobody", code=3, SRQUEUE_REDIS_URL="unix:///nowhere/socket")
    assert f"srqueue explain {settings.runs_root}/" in gone.stderr


def test_what_is_no_job_is_told(type_explain, client):
    client.store.ping()
    type_explain("nobody", code=2)
    type_explain("/tmp/no-run-folder/", code=2)
