"""A job leaves the machine to its user, and goes on by itself, exactly."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from srqueue.cli.running import run as srqueue
from srqueue.queue.client import Client
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState, StopReason

TOTAL = 6000
OFTEN = {"logger": {"print_freq": 20, "save_checkpoint_seconds": 1}, "val": {"val_freq": 1000}}

UNPLUGGED = """
import psutil._pslinux
psutil._pslinux.POWER_SUPPLY_PATH = {folder!r}
"""


@pytest.fixture
def client(environment, valkey):
    return Client(environment(valkey))


def clock(seconds):
    """So many seconds from now, as a window says it."""
    return f"{datetime.now() + timedelta(seconds=seconds):%H:%M:%S}"


@pytest.mark.timeout(900)
def test_a_job_whose_window_closes_goes_on_when_the_next_one_opens(
    client, tiny_dataset, tiny_spec, start_worker, twin, left_by, wait_until
):
    identity = tiny_dataset(client.settings).identity
    start_worker(WARM="true")
    total = 3 * TOTAL  # no machine is through with it before the window closes
    now, windows = -60, [(-60, 20), (26, 3600)]
    spec = tiny_spec(identity, total, **OFTEN, window=[f"{clock(a)}-{clock(b)}" for a, b in windows])
    job = client.submit(spec).job
    wait_until(lambda: client.get(job.id).yields == 1, "the window closes")
    waits = client.get(job.id)
    assert (waits.state, waits.reason, waits.failures) == (JobState.QUEUED, StopReason.YIELDED, 0)
    assert 0 < waits.iteration < total and "opens" in waits.message and now < 0
    done = client.wait(job.id, 400)
    assert done.state is JobState.SUCCEEDED, done.message
    assert [a.reason for a in client.store.attempts(job.id)] == [StopReason.YIELDED, StopReason.COMPLETED]
    assert (done.yields, done.failures) == (1, 0) and 1 < done.yielded_s < 60
    assert left_by(RunDir(Path(done.run_dir)), total) == twin(client.settings, spec)


def test_a_job_outside_its_window_is_not_begun(client, tiny_dataset, tiny_spec, start_worker, wait_until):
    identity = tiny_dataset(client.settings).identity
    closed = tiny_spec(identity, 20, window=[f"{clock(12)}-{clock(3600)}"])
    job = client.submit(closed).job
    assert job.not_before is not None and job.state is JobState.QUEUED
    other = client.submit(tiny_spec(identity, 30, name="other")).job
    start_worker()
    assert client.wait(other.id, 120).state is JobState.SUCCEEDED  # it was not in the way
    assert client.wait(job.id, 120).state is JobState.SUCCEEDED
    assert client.get(job.id).attempts == 1 and client.get(job.id).started >= job.not_before


def test_a_claim_outside_of_the_window_is_no_attempt(
    client, tiny_dataset, tiny_spec, start_worker, wait_until
):
    """Also where somebody resumed it: the worker puts it off by its own clock."""
    identity = tiny_dataset(client.settings).identity
    job = client.submit(tiny_spec(identity, 20, window=[f"{clock(3600)}-{clock(7200)}"])).job
    worker = start_worker()
    client.resume(job.id)
    wait_until(lambda: "is put off" in worker.text(), "the worker looks at it")
    found = wait_until(lambda: (j := client.get(job.id)).not_before and j, "it is put off")
    assert (found.state, found.attempts, found.token) == (JobState.QUEUED, 0, 0)
    assert found.message.startswith("its window (") and client.store.attempts(job.id) == ()
    assert "because: its window" in client.why_waiting(found)


def test_on_battery_a_worker_yields_says_so_and_goes_on(
    client, tiny_dataset, tiny_spec, start_worker, twin, left_by, wait_until, tmp_path, monkeypatch, capsys
):
    plugged = battery(tmp_path, monkeypatch)
    identity = tiny_dataset(client.settings).identity
    spec = tiny_spec(identity, TOTAL, **OFTEN)
    start_worker(YIELD="battery", YIELD_AFTER="0.5", YIELD_BACK="0.5")
    job = client.submit(spec).job
    wait_until(lambda: client.get(job.id).seq is not None, "it trains and has saved")
    plugged(False)
    wait_until(lambda: client.get(job.id).reason is StopReason.YIELDED, "it yields")
    waits = client.get(job.id)
    assert waits.state is JobState.QUEUED and waits.message.endswith(": on battery") and not waits.failures
    told = wait_until(lambda: [w for w in client.store.workers() if w.yielding], "the worker says so")
    assert told[0].yielding == "on battery"
    assert (
        client.why_waiting(client.get(job.id))
        == f"for a worker that may train now: {told[0].name} (on battery)"
    )
    assert srqueue(["top"]) == 0 and "(on battery)" in capsys.readouterr().out
    assert srqueue(["explain", job.id]) == 0
    assert "it yielded 1 time, which is no failure" in " ".join(capsys.readouterr().out.split())
    plugged(True)
    done = client.wait(job.id, 240)
    assert done.state is JobState.SUCCEEDED, done.message
    assert [a.reason for a in client.store.attempts(job.id)] == [StopReason.YIELDED, StopReason.COMPLETED]
    assert left_by(RunDir(Path(done.run_dir)), TOTAL) == twin(client.settings, spec)


def battery(tmp_path, monkeypatch):
    """Power supplies as Linux shows them, for the processes of this test; plugs the machine in or out."""
    supplies, site = tmp_path / "power_supply", tmp_path / "site"
    (supplies / "BAT0").mkdir(parents=True)
    (supplies / "AC0").mkdir()
    for name, value in {"energy_now": 50, "energy_full": 100, "power_now": 10, "capacity": 50}.items():
        (supplies / "BAT0" / name).write_text(f"{value}\n")
    site.mkdir()
    (site / "sitecustomize.py").write_text(UNPLUGGED.format(folder=str(supplies)))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")

    def plugged(is_so):
        (supplies / "AC0" / "online").write_text(f"{int(is_so)}\n")
        (supplies / "BAT0" / "status").write_text("Charging\n" if is_so else "Discharging\n")

    plugged(True)
    return plugged
