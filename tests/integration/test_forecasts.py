"""Forecasts of real trainings: on the record, in the run folder, in every listing."""

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from srqueue.forecast.told import Told
from srqueue.queue.client import Client
from srqueue.queue.outlook import outlook
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState


@pytest.fixture
def client(settings):
    return Client(settings)


@pytest.fixture
def spec(settings, tiny_dataset, tiny_spec):
    identity = tiny_dataset(settings).identity

    def make(total_iter, seed=0, every=None):
        return tiny_spec(identity, total_iter, val={"val_freq": every or total_iter // 10}, manual_seed=seed)

    return make


@pytest.fixture
def cli(typed, settings, tmp_path):
    command = typed(tmp_path)
    command.env |= {"SRQUEUE_REDIS_URL": settings.store_url, "SRQUEUE_DATASETS": str(settings.datasets)}
    return command


def lines(job):
    file = RunDir(Path(job.run_dir)).forecasts_file
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_training_is_forecast_after_each_validation_and_the_next_one_before_it_begins(
    client, spec, start_worker, cli
):
    start_worker()
    done = client.wait(client.submit(spec(2000)).job.id, timeout=100)
    assert done.state is JobState.SUCCEEDED
    told = Told.of(done.progress)
    assert told.psnr.low <= told.psnr.middle <= told.psnr.high
    assert told.psnr.high >= done.progress["best_psnr"] - 1.0
    made = lines(done)
    assert len(made) >= 2 and all(m["iteration"] < 2000 for m in made)  # a run that is over is not forecast
    # From the fourth validation on there is a quality.
    assert all((m["psnr"] is None) == (m["from"]["validations"] < 4) for m in made)
    assert all(m["from"]["validations"] == m["iteration"] // 200 for m in made)
    assert all(m["made"] < m["end"][0] <= m["end"][1] <= m["end"][2] for m in made)
    assert done.progress["device"] and "cuda" not in done.progress

    # One of the same kind, with another seed, is forecast by it.
    found = json.loads(cli("forecast", _waiting(client, spec), "--json").stdout)
    assert found["quality_from"] == "1 run of the same kind" and found["speed_from"].startswith("job tiny ")
    assert found["psnr"][0] < done.metrics["best/psnr"] < found["psnr"][2]
    assert found["end"] is not None or found["state"] == "succeeded"


def _waiting(client, spec):
    """A job that waits behind a long one."""
    client.submit(spec(100_000), priority=9)
    return client.submit(spec(2000, seed=1)).job.id


def test_listings_say_when_it_ends_and_how_good_it_will_be(client, spec, start_worker, cli, wait_until):
    start_worker()
    job = client.submit(spec(100_000, every=300)).job

    def running():
        record = client.get(job.id)
        told = Told.of(record.progress)
        return record if told is not None and told.psnr is not None else None

    record = wait_until(running, "a forecast of its quality")
    assert "±" in cli("ls").stdout and "AT THE END" in cli("ls").stdout
    shown = cli("show", job.short_id).stdout
    assert any(line.startswith("forecast") and " at " in line for line in shown.splitlines())
    assert "dB" in cli("top", "--once").stdout.splitlines()[1]
    told = cli("forecast", job.short_id).stdout
    assert told.startswith(f"tiny {job.short_id} is running")
    assert "PSNR-Y" in told and "four times of five" in told
    whole = cli("forecast").stdout
    assert "your 1 job ends" in whole
    assert record.progress["forecast"]["ends_at"] == [100_000] * 3


def test_a_run_that_was_killed_goes_on_with_all_its_validations(client, spec, start_worker, wait_until):
    start_worker()
    job = client.submit(spec(2000)).job

    def far():
        record = client.get(job.id)
        told = Told.of(record.progress)
        return record if told is not None and told.psnr is not None and record.seq is not None else None

    record = wait_until(far, "five validations")
    attempt = RunDir(Path(record.run_dir)).attempt(record.token)
    trainer = attempt.read()["trainer"]
    pid = int(trainer["pid"] if isinstance(trainer, dict) else str(trainer).split(":")[0])
    assert psutil.pid_exists(pid)
    os.kill(pid, signal.SIGKILL)
    done = client.wait(job.id, timeout=120)
    assert (done.state, done.token) == (JobState.SUCCEEDED, 2)
    later = [m for m in lines(done) if m["token"] == 2]
    assert later and all(m["from"]["validations"] == m["iteration"] // 200 for m in later)


def test_slots_are_announced_and_counted(client, spec, start_worker, wait_until):
    start_worker(SLOTS="2")
    (worker,) = wait_until(client.store.workers, "the worker announces itself")
    assert worker.slots == 2
    ids = [client.submit(spec(3000, seed)).job.id for seed in range(2)]
    wait_until(lambda: client.store.count([JobState.RUNNING]) == 2, "both run at a time")
    wait_until(lambda: all("eta_s" in client.get(i).progress for i in ids), "both tell of their speed")
    third = client.submit(spec(3000, seed=7)).job
    found = outlook(client.store, client.get(third.id).created)
    begins = {o.job.id: o.begin for o in found.jobs}
    assert begins[ids[0]] == begins[ids[1]] == 0.0 and begins[third.id] > 0.0


def test_wrong_names_and_files_are_told(cli, valkey, tmp_path):
    assert "there is no job 'nowhere'" in cli("forecast", "nowhere", code=2).stderr
    (tmp_path / "spec.yaml").write_text("train: {total_iter: 5}\n")
    assert "spec.yaml" in cli("forecast", tmp_path / "spec.yaml", code=2).stderr
    assert "no worker is up" in cli("plan", "--hours", "2", code=2).stderr
    assert cli("forecast").stdout == "nothing waits or runs\n"
