"""Quotas: what is held back, what is refused, and that their counts are true."""

from dataclasses import replace

import pytest
from ulid import ULID

from srqueue.errors import UsageError
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.campaigns import Campaigns
from srqueue.store.quotas import Quotas
from srqueue.store.ready import anything_for
from tests.unit.store.fleet import LARGE, claimed, job, make, worker


def test_a_quota_holds_jobs_back_and_refuses_more(store):
    quotas = Quotas(store.connection)
    quotas.set("ann", running=1, queued=3)
    anns = make(store, *(job(user="ann") for _ in range(3)))
    with pytest.raises(
        UsageError, match="user ann may have 3 jobs queued, has 3, and 2 more are asked for"
    ) as error:
        make(store, job(user="ann"), job(user="bob"), job(user="ann"))
    assert "srqueue quota set ann --queued 5" in error.value.hint
    assert store.count() == 3  # nobody's
    assert claimed(store, LARGE) == anns[0] and claimed(store, LARGE) is None
    assert quotas.full() == {"ann": 1}
    assert anything_for(store.connection, worker(LARGE)) is None
    store.ask(anns[1], "cancel")
    (one,) = quotas.all()
    assert (one.running, one.waiting, one.most_running, one.most_queued) == (1, 1, 1, 3)
    store.finish(anns[0], 1, Outcome(StopReason.COMPLETED, "", 9))
    assert claimed(store, LARGE) == anns[2]
    quotas.remove("ann")
    with pytest.raises(UsageError, match="has no quota"):
        quotas.remove("ann")


def test_a_quota_refuses_a_long_submit_wholly_and_counts_each_spec_once(store):
    Quotas(store.connection).set("ann", queued=250)
    many = [job(user="ann") for _ in range(251)]
    with pytest.raises(UsageError, match="may have 250 jobs queued, has 0, and 251 more are asked for\n"):
        store.create_many(many)
    assert store.count() == 0
    made = store.create_many([*many[:250], replace(many[0], id=str(ULID()))])
    assert sum(new for _, new in made) == 250 and made[250] == (many[0].id, False)
    store.create_many(many[:250])  # the same call once more: nothing is new
    assert store.count() == 250


def test_a_quota_refuses_who_comes_back_to_the_queue_but_not_who_is_in_it(store):
    quotas = Quotas(store.connection)
    paused, cancelled, waits = make(store, *(job(user="ann") for _ in range(3)))
    store.ask(paused, "pause")
    store.ask(cancelled, "cancel")
    quotas.set("ann", queued=1)
    for back in (store.resume, store.retry):
        with pytest.raises(UsageError, match="may have 1 job queued, has 1, and 1 more"):
            back(paused if back == store.resume else cancelled)
    assert (store.get(paused).state, store.get(cancelled).state) == (JobState.PAUSED, JobState.CANCELLED)
    redis = store.connection.redis
    redis.hset(store.keys.job(waits), "not_before", "9e9")
    assert store.resume(waits).state is JobState.QUEUED  # it waits already
    quotas.set("ann", queued=2)
    assert store.retry(cancelled).state is JobState.QUEUED
    assert quotas.room("ann") == 0 and quotas.room("bob") == float("inf")


def test_cells_of_a_campaign_are_held_again_all_or_none(store):
    campaigns = Campaigns(store.connection)
    cells = make(store, *(job(user="ann") for _ in range(3)), campaign="night")
    for job_id in cells:
        store.ask(job_id, "cancel")
    Quotas(store.connection).set("ann", queued=2)
    with pytest.raises(UsageError, match="has 0, and 3 more are asked for\n"):
        campaigns.hold_again("night", cells)
    assert {r.state for r in store.many(cells)} == {JobState.CANCELLED}
    assert campaigns.hold_again("night", cells[:2]) == 2


def test_a_removed_job_counts_for_nobody_and_what_drifted_is_swept(store):
    one, two = make(store, job(user="ann"), job(user="ann"))
    store.remove(one)
    store.connection.redis.sadd(store.keys.of_user("ann", "running"), two)  # left by a script of before
    store.sweep()
    (ann,) = Quotas(store.connection).all()
    assert (ann.running, ann.waiting) == (0, 1)
