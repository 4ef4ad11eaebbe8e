"""Who may claim what, and whose turn it is: compared with the rules in plain words."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srqueue.errors import UsageError
from srqueue.forecast.fleet import Server, Task, play_queue
from srqueue.forecast.turns import Turns
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.spec.needs import NeedsSpec
from srqueue.store.known_memory import KnownMemory, loosen
from srqueue.store.offers import Offer, fits
from srqueue.store.preemption import preempt
from srqueue.store.quotas import Quotas
from srqueue.store.ready import anything_for
from srqueue.store.record import LeaseLost
from tests.unit.store.fleet import (
    CLASSES,
    CPU,
    GIB,
    JOBS,
    LARGE,
    SMALL,
    USERS,
    claim,
    claimed,
    job,
    make,
    may_take,
    worker,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    jobs=st.lists(JOBS, min_size=1, max_size=12),
    offers=st.lists(st.sampled_from([CPU, SMALL, LARGE]), min_size=1, max_size=12),
    used=st.permutations([0, 100, 200]),
    quota=st.dictionaries(st.sampled_from(["ann", "bob", "cy"]), st.integers(0, 3), max_size=2),
    handed_back=st.sets(st.integers(0, 11), max_size=3),
)
def test_each_claim_is_what_the_rules_say(store, jobs, offers, used, quota, handed_back):
    redis, keys = store.connection.redis, store.keys
    redis.flushall()
    for name, seconds in zip(["ann", "bob", "cy"], used, strict=True):
        redis.hset(keys.usage, name, f"{seconds} {redis.time()[0]}")
    for name, most in quota.items():
        Quotas(store.connection).set(name, running=most)
    ids = make(store, *(job(*one) for one in jobs))
    for number in handed_back & set(range(len(ids))):
        redis.hset(keys.job(ids[number]), "front", "1")
        store.set_priority(ids[number], jobs[number][2])
    first = next((user for *_, user in jobs if user), "")
    waiting, runs = dict(zip(ids, jobs, strict=True)), Counter()
    lately = dict(zip(["ann", "bob", "cy"], used, strict=True))
    for offer in offers:
        rows = []
        for job_id, (needs, kind, priority, user) in waiting.items():
            whose = user or first
            if kind in CLASSES[offer] and may_take(offer, needs) and runs[whose] < quota.get(whose, 99):
                back = ids.index(job_id) not in handed_back
                rows.append((-priority, back, runs[whose], lately.get(whose, 0), job_id))
        expected = min(rows)[-1] if rows else None
        ready = anything_for(store.connection, worker(offer))
        assert claimed(store, offer) == expected
        assert (ready is not None) == (expected is not None)
        if expected is not None:
            user = waiting.pop(expected)[-1]
            runs[user] += bool(user)  # one without a user counts for nobody
    assert {r.id for r in store.list([JobState.QUEUED])} == waiting.keys()
    live = {key: redis.smembers(key) for key in redis.keys(f"{keys.root}lots:*")}
    ready_sets = {key for key in redis.keys(f"{keys.root}ready:*") if key.count(":") > 3}
    assert {
        f"{key.replace(':lots:', ':ready:')}:{lot}" for key, lots in live.items() for lot in lots
    } == ready_sets


def test_lua_and_python_agree_on_who_fits(store):
    needs = NeedsSpec(gpu_memory="12GB", host="box1", labels=["room=1"])
    (one,) = make(store, job(needs, "cuda"))
    lot = store.get(one).lot
    assert lot == "m=12000000000;h=box1;l=room=1"
    assert [fits(offer, lot) for offer in (CPU, SMALL, LARGE, None)] == [False, True, False, False]
    assert fits(None, "")
    assert claimed(store, LARGE) is None and claimed(store, SMALL) == one


def test_a_measured_peak_keeps_the_next_attempt_from_smaller_cards_but_not_from_a_cpu(store):
    (one,) = make(store, job())
    token = claim(store, LARGE).token
    store.note_peak(one, token, 20 * GIB)
    store.note_peak(one, token, 16 * GIB)  # never smaller
    store.finish(one, token, Outcome(StopReason.PREEMPTED, "", 0))
    with pytest.raises(LeaseLost):
        store.note_peak(one, token, 90 * GIB)
    record = store.get(one)
    assert (record.peak, record.lot) == (20 * GIB, f"p={20 * GIB}")
    assert claimed(store, SMALL) is None
    assert claimed(store, CPU) == one
    (other,) = make(store, job(NeedsSpec(gpu_memory=30 * GIB), "cuda"))
    token = claim(store, LARGE).token
    store.note_peak(other, token, 20 * GIB)
    assert store.get(other).lot == f"m={30 * GIB}"  # what was asked for is more


def test_a_guess_chooses_among_workers_and_keeps_a_job_from_none(store):
    one, two, asked = make(
        store, replace(job(), guess=20 * GIB), replace(job(), guess=200 * GIB),
        replace(job(NeedsSpec(gpu_memory=4 * GIB), "cuda"), guess=20 * GIB),
    )  # fmt: skip
    assert (store.get(one).lot, store.get(asked).lot) == (f"p={20 * GIB}", f"m={4 * GIB}")
    for offer in (SMALL, LARGE):
        store.announce_worker(worker(offer, offer.host), 60)
    assert claimed(store, SMALL) == asked and claimed(store, SMALL) is None
    assert [bell.job_id for bell in loosen(store.connection)] == [two]  # which no worker fits
    assert loosen(store.connection) == []  # one look is enough for a while
    record = store.get(two)
    assert (record.guess, record.guessed, record.lot) == (200 * GIB, None, "")
    assert store.get(one).guessed == 20 * GIB
    token = claim(store, SMALL)
    assert token.record.id == two and claimed(store, SMALL) is None
    store.note_peak(two, token.token, 8 * GIB)  # what is measured takes its place
    store.finish(two, token.token, Outcome(StopReason.PREEMPTED, "", 0))
    assert store.get(two).lot == f"p={8 * GIB}" and claimed(store, SMALL) == two
    store.set_needs(one, NeedsSpec(), "any", measured=False)
    assert store.get(one).guess is None and claimed(store, SMALL) == one


def test_the_least_that_a_kind_of_work_has_done_with_is_kept(store):
    known = KnownMemory(store.connection)
    for amount in (9, 7, 8):
        known.note("a", amount)
    assert known.of(["a", "b"]) == {"a": 7} and known.of([]) == {}


def test_needs_that_change_move_a_waiting_job(store):
    (one,) = make(store, job(NeedsSpec(gpu_memory="200GB"), "cuda"))
    assert claimed(store, LARGE) is None
    store.set_needs(one, NeedsSpec(labels=["room=1"]), "any", measured=True)
    assert store.get(one).wants == NeedsSpec(labels=["room=1"])
    assert claimed(store, LARGE) is None and claimed(store, SMALL) == one
    store.set_needs(one, NeedsSpec(host="box2"), "any", measured=True)  # it runs on
    assert store.get(one).state is JobState.RUNNING
    store.finish(one, store.get(one).token, Outcome(StopReason.COMPLETED, "", 9))
    with pytest.raises(UsageError, match="cannot place job"):
        store.set_needs(one, NeedsSpec(), "any", measured=True)


def test_what_a_script_of_the_version_before_left_elsewhere_is_put_right(store):
    redis, plain = store.connection.redis, store.keys.ready("cuda", None)
    large, paused = make(store, *(job(NeedsSpec(gpu_memory=n * GIB), "cuda") for n in (24, 2)))
    redis.zadd(plain, {large: 1.0, paused: 0.5})  # as `make_ready` and `park` of before would
    store.ask(paused, "pause")
    redis.zadd(plain, {paused: 0.5})
    assert claimed(store, SMALL) is None  # it may take neither
    assert redis.zrange(plain, 0, -1) == []
    assert claimed(store, LARGE) == large
    assert store.get(paused).state is JobState.PAUSED


def test_users_take_turns_and_one_alone_goes_by_age(store):
    anns = make(store, *(job(user="ann") for _ in range(4)))
    bobs = make(store, *(job(user="bob") for _ in range(2)))
    assert [claimed(store, LARGE, f"w{n}") for n in range(6)] == [
        anns[0], bobs[0], anns[1], bobs[1], anns[2], anns[3],
    ]  # fmt: skip
    more = make(store, *(job(user="ann") for _ in range(3)))
    assert [claimed(store, LARGE) for _ in more] == more


def test_who_trained_less_lately_goes_first_where_as_many_run(store):
    (ann, more), (bob,) = make(store, job(user="ann"), job(user="ann")), make(store, job(user="bob"))
    first = claim(store, LARGE)
    assert first.record.id == ann
    redis = store.connection.redis
    attempt = redis.lindex(store.keys.attempts(ann), -1)
    redis.lset(store.keys.attempts(ann), -1, attempt.replace('"begun":', '"begun":1e3,"was":'))
    store.finish(ann, first.token, Outcome(StopReason.COMPLETED, "", 9))
    used = {user.name: user.used_s for user in Quotas(store.connection).all()}
    assert used["ann"] > 1e9 and used["bob"] == 0
    assert claimed(store, LARGE, "one") == bob
    assert claimed(store, LARGE, "two") == more


def test_campaigns_of_one_user_take_turns_where_he_says_so(store):
    night = make(store, *(job(user="ann", share="night") for _ in range(3)), campaign="night")
    day = make(store, *(job(user="ann", share="day") for _ in range(2)), campaign="day")
    (single,) = make(store, job(user="ann"))
    assert [claimed(store, LARGE) for _ in range(6)] == [
        night[0], day[0], single, night[1], day[1], night[2],
    ]  # fmt: skip


def test_those_ahead_are_counted_with_turns(store):
    anns = make(store, *(job(user="ann") for _ in range(5)))
    bobs = make(store, *(job(user="bob") for _ in range(2)))
    (urgent,) = make(store, job(NeedsSpec(gpus=1), "cuda", 6, "ann"))
    (elsewhere,) = make(store, job(NeedsSpec(host="far"), "any", 9, "ann"))
    fleet = [worker(LARGE)]
    store.announce_worker(fleet[0], 60)
    assert store.workers() == tuple(fleet)

    def ahead(job_id):
        return store.ahead(store.get(job_id), fleet)

    assert [ahead(i) for i in (urgent, bobs[0], bobs[1], anns[0], anns[4])] == [0, 1, 3, 2, 7]
    named = [r.id for r in store.first_ahead(store.get(bobs[1]), fleet, 9)]
    assert sorted(named) == sorted([urgent, bobs[0], anns[0]])
    assert elsewhere not in named


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    jobs=st.lists(
        st.tuples(st.integers(4, 5), USERS, st.sampled_from(["", "k1", "k2"])),
        min_size=2, max_size=10,
    ),
    used=st.permutations([10, 100, 1000]),
    runs=st.lists(USERS, max_size=4),
    quota=st.dictionaries(USERS, st.integers(1, 4), max_size=1),
)  # fmt: skip
def test_forecasts_and_counts_of_those_ahead_follow_the_claims(store, jobs, used, runs, quota):
    redis, keys = store.connection.redis, store.keys
    redis.flushall()
    quotas, lately = Quotas(store.connection), dict(zip(["ann", "bob", "cy"], used, strict=True))
    before = make(store, *(job(user=user) for user in runs))
    assert [claimed(store, LARGE, f"r{n}") is not None for n in range(len(runs))] == [True] * len(runs)
    for name, seconds in lately.items():
        redis.hset(keys.usage, name, f"{seconds} {redis.time()[0]}")
    for name, most in quota.items():
        quotas.set(name, running=most)
    ids = [
        make(store, job(priority=priority, user=user, share=share), campaign=share)[0]
        for priority, user, share in jobs
    ]
    ahead = store.aheads((store.get(i), [worker(LARGE)]) for i in ids)
    records = [*store.many(before), *store.many(ids)]
    tasks = [
        Task(
            r.id, 1e9, r.priority, r.id, on="busy" if r.id in before else None,
            share=(r.user, r.share or ""),
        )
        for r in records
    ]  # fmt: skip
    # One server after the other gets free, and nothing that begins ends.
    servers = [
        Server("busy", len(before), ("cuda",)),
        *(Server(f"s{n}", 1, ("any",)) for n in range(len(ids))),
    ]
    tasks += [Task(f"until {n}", n + 1.0, on=f"s{n}", share=("", "")) for n in range(len(ids))]
    played = play_queue(tasks, servers, turns=Turns(quotas.used(), dict(quota)))
    begins = {i: played[i].begin for i in ids if i in played}
    foreseen = sorted((i for i, at in begins.items() if at < 1e8), key=begins.__getitem__)
    order = [i for _ in ids if (i := claimed(store, LARGE)) is not None]
    assert foreseen == order
    if not quota and not any(share for *_, share in jobs):
        assert [ahead[i] for i in order] == list(range(len(order)))


def test_nobody_gives_way_to_a_job_that_his_worker_cannot_take(store):
    known = store.connection.settings.model_copy(update={"preempt_wait": 0, "preempt_run": 0})
    for offer in (SMALL, LARGE):
        store.announce_worker(worker(offer, offer.host), 600)
    low = make(store, job(priority=1), job(priority=2))
    for job_id, offer in zip(low, (LARGE, SMALL), strict=True):
        store.set_priority(job_id, 3)
        assert claimed(store, offer, offer.host) == job_id
    store.set_priority(low[0], 2)  # on the large one; that on the small one stands lower
    store.set_priority(low[1], 1)
    (big,) = make(store, job(NeedsSpec(gpu_memory=24 * GIB), "cuda", 9))
    (asked,) = preempt(store.connection, known)
    assert (asked.job_id, asked.victim_id) == (big, low[0])
    Quotas(store.connection).set("ann", running=0)
    make(store, job(priority=9, user="ann"))
    assert preempt(store.connection, known) == ()  # he may not begin anyway


def test_an_offer_is_announced_and_what_another_version_adds_is_left_out(store):
    store.announce_worker(worker(LARGE), 60)
    assert store.workers()[0].offer == LARGE
    assert Offer.from_json(LARGE.to_json()[:-1] + ',"new":[1]}') == LARGE
    store.announce_worker(replace(worker(LARGE), offer=None), 60)
    assert store.workers()[0].offer is None


def test_a_claim_costs_the_same_among_many_jobs(store):
    def calls():
        return sum(row["calls"] for row in store.connection.redis.info("commandstats").values())

    def cost(number):
        store.connection.redis.flushall()
        kinds = [NeedsSpec(), NeedsSpec(gpu_memory=4 * GIB), NeedsSpec(gpu_memory=24 * GIB)]
        make(store, *(job(kinds[n % 3], "cuda", user="ab"[n % 2] * 3) for n in range(number)))
        claim(store, LARGE)
        before = calls()
        claim(store, LARGE)
        return calls() - before

    assert cost(12) == cost(600)
