"""When waiting jobs begin: what runs and what stands before them, played through."""

import dataclasses
import time

import pytest

from srqueue.queue.starts import speeds, starts
from srqueue.run.reasons import JobState
from srqueue.store.record import JobRecord, WorkerRecord

WORKERS = [
    WorkerRecord(name=f"w{n}", host="h", pid=1, classes=("any",), device="", version="", since=1.0)
    for n in (1, 2)
]
QUEUED = JobRecord(
    id="0" * 26, name="job", state=JobState.QUEUED, spec={"network_g": {"type": "compact"}}, origins={},
    spec_id="s", priority=5, device_class="any", created=1.0, updated=1.0, total_iter=1000,
)  # fmt: skip


def running(worker: str, **progress) -> JobRecord:
    return dataclasses.replace(QUEUED, state=JobState.RUNNING, owner=f"{worker}:1", progress=progress)


def test_the_first_begins_at_once_where_a_worker_is_idle():
    assert starts([], WORKERS, [running("w1", eta_s=500.0)], {}) == [0.0]


def test_jobs_go_to_whoever_is_free_first():
    both = [running("w1", eta_s=30.0), running("w2", eta_s=100.0)]
    # w1 is free at 30 and busy until 80 and 130, w2 from 100 on.
    assert starts([QUEUED] * 3, WORKERS, both, {"compact": 20.0}) == [30.0, 80.0, 100.0, 130.0]


def test_a_worker_of_several_slots_has_several_that_get_free():
    both = [running("w1", eta_s=30.0), running("w1", eta_s=40.0)]
    assert starts([QUEUED], WORKERS[:1], both, {"": 20.0}) == [30.0, 40.0]


def test_without_a_speed_only_the_first_is_foretold_and_without_an_end_none():
    assert starts([QUEUED, QUEUED], WORKERS[:1], [running("w1", eta_s=30.0)], {}) == [30.0]
    assert starts([QUEUED], WORKERS[:1], [running("w1")], {}) == []


def test_jobs_of_other_workers_do_not_matter():
    assert starts([], WORKERS[:1], [running("w9", eta_s=30.0)], {}) == [0.0]


def test_speeds_are_those_of_the_network_else_of_all():
    other = dataclasses.replace(
        QUEUED, state=JobState.SUCCEEDED, spec={"network_g": {"type": "edsr"}}, started=0.0, finished=100.0,
        iteration=1000,
    )  # fmt: skip
    found = speeds([running("w1", it_s=30.0), running("w2", it_s=50.0), other, QUEUED])
    assert found == {"compact": pytest.approx(40), "edsr": pytest.approx(10), "": pytest.approx(30)}


def test_a_worker_of_several_slots_begins_as_many_at_once():
    wide = [dataclasses.replace(WORKERS[0], slots=3)]
    assert starts([QUEUED] * 2, wide, [running("w1", eta_s=30.0)], {"compact": 20.0}) == [0.0, 0.0, 30.0]


def test_a_forecast_knows_better_than_the_trainers_own_time_left():
    told = {"made": 1.0, "iteration": 5, "end": [time.time() + s for s in (50, 60, 70)]}
    (begins,) = starts([], WORKERS[:1], [running("w1", eta_s=500.0, forecast=told)], {})
    assert 0 < begins <= 60


def test_windows_of_jobs_and_workers_put_a_start_off(local_time):
    local_time("UTC")
    now = time.time()
    soon = [time.strftime("%H:%M", time.localtime(now + s)) for s in (2 * 3600, 4 * 3600)]
    night = dataclasses.replace(QUEUED, spec={**QUEUED.spec, "window": ["-".join(soon)]})
    rates = {"compact": 1.0}  # a job takes 1,000 s
    first, second, last = starts([night, QUEUED], WORKERS[:1], [], rates, night)
    assert first == pytest.approx(2 * 3600, abs=61) and second == 0.0
    assert last == pytest.approx(first + 1000, abs=1)
    closed = [dataclasses.replace(WORKERS[0], window="-".join(soon))]
    assert starts([QUEUED], closed, [], rates) == [pytest.approx(first), pytest.approx(first + 1000, abs=1)]
    # What is left of it is trained before the window closes, so it is not the time until its end.
    told = {"made": now, "iteration": 5, "end": [now + 5 * 86400] * 3}
    (free,) = starts([], closed, [running("w1", forecast=told)], {})
    assert free == pytest.approx(now + 5 * 86400 - time.time(), abs=7300)
