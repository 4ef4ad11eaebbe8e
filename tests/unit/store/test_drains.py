"""Requests to a worker to end: read with its announcement, remembered for a while, for one life of it."""

import pytest

from srqueue.errors import UsageError
from srqueue.queue.drains import drain, still_up, wait_until_gone
from srqueue.queue.waiting import able, why_waiting
from srqueue.store.drains import DRAIN_SECONDS, Announced, Drain
from srqueue.store.record import WorkerRecord


def worker(name="w1@a", host="a", pid=1, draining=None):
    return WorkerRecord(
        name=name, host=host, pid=pid, classes=("cpu", "any"), device="cpu", version="0", since=1.0,
        root_id="r", draining=draining,
    )  # fmt: skip


@pytest.fixture
def job(store):
    record, _ = store.create("01" * 13, spec={}, origins={}, spec_id="x", name="one", total_iter=9)
    return record


def test_a_worker_obeys_what_was_asked_after_its_first_announcement(store):
    began = store.announce_worker(worker(), 60)
    assert began.asked_since(began.now) is None
    store.drain("w1@a", Drain.FINISH)
    assert store.announce_worker(worker(), 60).asked_since(began.now) is Drain.FINISH
    store.drain("w1@a", Drain.HAND_OVER)  # the newest word holds
    assert store.announce_worker(worker(), 60).asked_since(began.now) is Drain.HAND_OVER
    again = store.announce_worker(worker(pid=2), 60)
    assert again.how is Drain.HAND_OVER and again.asked_since(again.now) is None
    assert 0 < store.connection.redis.ttl("srq:drain:w1@a") <= DRAIN_SECONDS


def test_a_word_of_a_later_version_is_no_request():
    assert Announced.from_answer(["5.0", "4.0", "explode"]) == Announced(5.0)
    assert Announced.from_answer(["5.0", None, None]) == Announced(5.0)


def test_a_host_means_all_its_workers_and_a_name_one(store, job):
    for name, host in (("w1@a", "a"), ("w2@a", "a"), ("w1@b", "b")):
        store.announce_worker(worker(name, host), 60)
    store.claim("w2@a:7", "a", ("cpu", "any"), 60, {"r": "/r"})
    told = drain(store, "a", Drain.HAND_OVER)
    assert [(one.worker.name, [j.id for j in one.jobs]) for one in told] == [("w1@a", []), ("w2@a", [job.id])]
    assert [one.worker.name for one in drain(store, "w1@b", Drain.FINISH)] == ["w1@b"]
    asked = {
        key: store.connection.redis.hget(key, "how") for key in store.connection.redis.keys("srq:drain:*")
    }
    assert asked == {
        "srq:drain:w1@a": "hand_over", "srq:drain:w2@a": "hand_over", "srq:drain:w1@b": "finish",
    }  # fmt: skip


def test_an_unknown_name_asks_nobody(store):
    store.announce_worker(worker(), 60)
    with pytest.raises(UsageError, match="no host 'w2@a'") as caught:
        drain(store, "w2@a", Drain.HAND_OVER)
    assert "'w1@a'" in caught.value.hint
    assert store.connection.redis.keys("srq:drain:*") == []


def test_a_worker_is_gone_when_it_left_or_was_started_again(store):
    old = worker()
    store.announce_worker(old, 60)
    assert wait_until_gone(store, [old], 0) == (old,)
    store.announce_worker(worker(pid=2), 60)
    assert still_up(store, [old]) == ()


def test_nobody_counts_on_a_worker_that_ends(store, job):
    ending, staying = worker(draining="finish"), worker("w2@a")
    assert able(job, [ending, staying]) == [staying]
    assert "(w1@a)" in why_waiting(job, [ending], 0, 0) and "no more jobs" in why_waiting(job, [ending], 0, 0)
    assert "it is next" in why_waiting(job, [ending, staying], 0, 0)
    store.announce_worker(ending, 60)
    assert store.workers() == (ending,)
