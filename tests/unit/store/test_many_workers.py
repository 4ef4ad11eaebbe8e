"""A fleet of many workers asks no more of the server than it must."""

from srqueue.store.preemption import preempt
from srqueue.store.record import WorkerRecord


def calls(store):
    return sum(row["calls"] for row in store.connection.redis.info("commandstats").values())


def test_only_one_of_many_sweepers_looks_who_is_to_give_way(store, settings):
    for i in range(300):
        store.announce_worker(
            WorkerRecord(name=f"w{i}", host="h", pid=1, classes=("any",), device="", version="", since=1.0),
            60,
        )
    before = calls(store)
    preempt(store.connection, settings)
    once = calls(store) - before
    for _ in range(20):
        preempt(store.connection, settings)
    assert once > 300
    assert calls(store) - before < 2 * once  # the others were told that it had been done
