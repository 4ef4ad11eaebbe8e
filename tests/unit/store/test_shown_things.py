"""Pictures and printed lines in Redis: bounded, for a while, and only from who holds the job."""

import pytest
from ulid import ULID

from srqueue.run.outcome import Outcome
from srqueue.run.pictures import Crop
from srqueue.run.reasons import StopReason
from srqueue.store.pictures import JOBS_KEPT
from srqueue.store.printed import BYTES_KEPT, LINES_KEPT
from srqueue.store.record import LeaseLost

PNG = b"\x89PNG\r\n\x00\xff\xfe"  # no text in any encoding
CROPS = (Crop("a b.png", 1, 2, 128, 96),)
WEEK = 7 * 86400


@pytest.fixture
def claimed(store):
    """Makes a running job: (id, token)."""

    def make():
        job = str(ULID())
        store.create(job, spec={}, origins={}, spec_id=job, name="job", total_iter=9)
        return job, store.claim("w:1", "h", ["any"], 30, {"root": "/runs"}).token

    return make


def put(store, job, token, iteration=10, whole=True, crops=CROPS):
    images = {"0/model": PNG + b"%d" % iteration}
    if whole:
        images |= {"0/bicubic": PNG, "0/original": PNG}
    return store.put_pictures(job, token, crops, iteration, images, whole=whole)


def test_pictures_come_back_as_they_were_and_what_never_changes_is_sent_once(store, claimed):
    job, token = claimed()
    assert store.pictures(job) is None
    assert not put(store, job, token, whole=False)
    assert store.pictures(job) is None
    assert put(store, job, token)
    assert put(store, job, token, 20, whole=False)
    found = store.pictures(job)
    assert (found.crops, found.iteration) == (CROPS, 20)
    assert found.images == {"0/model": PNG + b"20", "0/bicubic": PNG, "0/original": PNG}
    ttl = store.connection.redis.ttl(store.keys.pictures(job))
    assert WEEK - 60 < ttl <= WEEK


def test_pictures_of_other_crops_replace_them_all(store, claimed):
    job, token = claimed()
    put(store, job, token)
    other = (Crop("b.png", 0, 0, 8, 8), Crop("c.png", 0, 0, 8, 8))
    assert not put(store, job, token, 20, whole=False, crops=other)
    assert store.put_pictures(job, token, other, 20, {"1/model": PNG}, whole=True)
    assert store.pictures(job).images == {"1/model": PNG}


def test_the_longest_unchanged_pictures_go(store, claimed):
    jobs = [claimed() for _ in range(JOBS_KEPT + 2)]
    for job, token in jobs:
        put(store, job, token)
    put(store, *jobs[2])
    kept = [job for job, _ in jobs if store.pictures(job)]
    assert kept == [job for job, _ in jobs[2:]]
    put(store, *jobs[0])
    assert store.pictures(jobs[2][0]) and not store.pictures(jobs[3][0])
    assert store.connection.redis.zcard(f"{store.keys.root}pictures") == JOBS_KEPT


def test_nothing_is_shown_by_who_lost_the_job(store, claimed):
    job, token = claimed()
    store.finish(job, token, Outcome(StopReason.DRAINED, "", 0))
    for tell in (lambda: put(store, job, token), lambda: store.append_log(job, token, ["late"], (0, 5))):
        with pytest.raises(LeaseLost):
            tell()
    assert store.pictures(job) is None and store.log_tail(job) == []


def test_printed_lines_are_there_once_and_carry_their_attempt(store, claimed):
    job, token = claimed()
    assert store.append_log(job, token, ["one", "two"], (0, 8)) == 8
    assert store.append_log(job, token, ["one", "two"], (0, 8)) == 8, "an answer was lost"
    assert store.append_log(job, token, ["three"], (8, 14)) == 14
    assert store.log_tail(job) == ["t1 one", "t1 two", "t1 three"]
    position = store.log_after(job)[1][0]
    assert [line for _, line in store.log_after(job, position)] == ["t1 three"]
    assert WEEK - 60 < store.connection.redis.ttl(store.keys.log(job)) <= WEEK

    store.finish(job, token, Outcome(StopReason.DRAINED, "", 0))
    again = store.claim("w:1", "h", ["any"], 30, {"root": "/runs"}).token
    store.append_log(job, again, ["anew"], (0, 5))
    assert store.log_tail(job)[-2:] == ["t1 three", "t2 anew"]


def test_the_newest_lines_stay_by_number_and_by_bytes(store, claimed):
    job, token = claimed()
    store.append_log(job, token, [f"line {i}" for i in range(LINES_KEPT + 50)], (0, 9))
    tail = store.log_tail(job)
    assert (len(tail), tail[0], tail[-1]) == (LINES_KEPT, "t1 line 50", f"t1 line {LINES_KEPT + 49}")
    store.append_log(job, token, ["x" * 1000] * 100, (9, 20))
    tail = store.log_tail(job)
    assert sum(map(len, tail)) <= BYTES_KEPT and len(tail) == BYTES_KEPT // 1003


def test_a_job_that_is_removed_leaves_nothing(store, claimed):
    job, token = claimed()
    put(store, job, token)
    store.append_log(job, token, ["one"], (0, 4))
    store.finish(job, token, Outcome(StopReason.PAUSED, "", 0))
    store.remove(job)
    assert [key for key in store.connection.redis.scan_iter() if job in key] == []
    assert store.connection.redis.zcard(f"{store.keys.root}pictures") == 0
