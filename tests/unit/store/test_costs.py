"""What it costs to find a job, to list and to sweep does not grow with the number of jobs."""

import time

import pytest
from ulid import ULID

from srqueue.errors import UsageError
from srqueue.store.new import NewJob
from srqueue.store.preemption import preempt
from srqueue.store.record import WorkerRecord
from srqueue.store.store import Store

ROOTS = {"root": "/runs"}
LEASE = 3600
WORKER = WorkerRecord(
    name="w", host="h", pid=1, classes=("cpu", "any"), device="d", version="0", since=1.0, root_id="root"
)


def cells(number, prefix="cell"):
    return [NewJob(str(ULID()), {"seed": i}, {}, f"{prefix}-{i}", f"{prefix}_{i}", 9) for i in range(number)]


@pytest.fixture
def store(settings):
    """With leases that end in no test."""
    store = Store.connect(settings.model_copy(update={"lease": LEASE}))
    yield store
    store.connection.close()


def calls(store):
    """Commands that the server has run so far, those within scripts included."""
    return sum(row["calls"] for row in store.connection.redis.info("commandstats").values())


def cost(store, act):
    before = calls(store)
    act()
    return calls(store) - before


def fill(store, number, running):
    """`number` queued jobs, `running` others that run."""
    store.connection.redis.flushall()
    store.announce_worker(WORKER, 600)
    store.create_many(cells(running, "r"), campaign="c")
    for _ in range(running):
        store.claim("w:7", "h", ["any"], LEASE, ROOTS)
    made = store.create_many(cells(number), campaign="c")
    bells = f"{store.keys.root}bells"
    not_due = time.time() + 20
    store.connection.redis.zadd(bells, dict.fromkeys(store.connection.redis.zrange(bells, 0, -1), not_due))
    return store.get(made[3][0])


def test_no_command_costs_more_where_there_are_more_jobs(store):
    settings = store.connection.settings.model_copy(update={"preempt_wait": 0, "preempt_run": 0})

    def nothing():
        with pytest.raises(UsageError):
            store.resolve("nothing")

    def costs(number, running):
        job = fill(store, number, running)
        store.sweep()  # opens: notes that somebody is in touch
        preempt(store.connection, settings)
        acts = {
            "ls": lambda: store.list(limit=5),
            "ls, a later page": lambda: store.list(limit=5, offset=20),
            "ls of a campaign": lambda: store.list(["queued"], limit=5, campaign="c"),
            "ls of two states": lambda: store.list(["failed", "queued"], limit=5),
            "counts": store.count_by_state,
            "show": lambda: store.get(store.resolve(job.name)),
            "why it waits": lambda: store.ahead(job, store.workers()),
            "who is before it": lambda: store.first_ahead(job, store.workers(), 3),
            "no such job": nothing,
            "sweep": store.sweep,
            "preempt": lambda: preempt(store.connection, settings),
            "a claim's answer that was lost": lambda: store.claim("w:7", "h", ["cuda"], LEASE, ROOTS, "x"),
        }
        return {name: cost(store, act) for name, act in acts.items()}

    few, many_waiting, many_running = costs(30, 5), costs(1500, 5), costs(30, 150)
    assert few == many_waiting == many_running


def test_a_sweep_does_a_bounded_part_of_what_is_due(store):
    def due(number):
        fill(store, number, 1)
        redis = store.connection.redis
        bells = f"{store.keys.root}bells"
        redis.zadd(bells, dict.fromkeys(redis.zrange(bells, 0, -1), 0))
        return cost(store, store.sweep)

    assert due(500) == due(1500)


def test_a_lower_running_job_is_still_found_among_many(store):
    settings = store.connection.settings.model_copy(update={"preempt_wait": 0, "preempt_run": 0})
    fill(store, 10, 40)
    low = store.list(["running"], 1, 17)[0].id
    store.set_priority(low, 2)
    (asked,) = preempt(store.connection, settings)
    assert asked.victim_id == low and store.get(low).wish == "preempt"
    assert preempt(store.connection, settings) == ()
