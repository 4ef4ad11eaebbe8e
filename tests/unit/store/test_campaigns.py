"""Many jobs at once: campaigns and pages."""

import itertools

import pytest
from ulid import ULID

from srqueue.errors import UsageError
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.campaigns import Campaigns
from srqueue.store.new import NewJob

ROOTS = {"root": "/runs"}


def cells(number, prefix="cell", start=0, **more):
    return [
        NewJob(
            str(ULID()), {"seed": i}, {"seed": "cell"}, f"{prefix}-{i}", f"{prefix}_{i}", 9,
            **more,
        )
        for i in range(start, start + number)
    ]  # fmt: skip


def ids(records):
    return [record.id for record in records]


def test_many_jobs_are_made_in_their_order_and_run_in_it(store):
    made = store.create_many(cells(450), campaign="night")
    assert all(new for _, new in made)
    assert ids(store.list(limit=1000)) == [i for i, _ in reversed(made)]
    taken = [store.claim("w", "h", ["any"], 30, ROOTS).record for _ in range(3)]
    assert ids(taken) == [i for i, _ in made[:3]]
    assert (taken[0].spec, taken[0].origins, taken[0].campaigns) == (
        {"seed": 0},
        {"seed": "cell"},
        ("night",),
    )


def test_once_more_only_what_is_new_or_changed_is_queued(store):
    made = store.create_many(cells(20), campaign="night")
    failed = store.claim("w", "h", ["any"], 30, ROOTS)
    store.finish(failed.record.id, failed.token, Outcome(StopReason.DIVERGED, "", 1))
    store.ask(made[5][0], "cancel")
    again = store.create_many([*cells(20), *cells(3, start=20)], campaign="night")
    assert [i for i, new in again if not new] == [i for i, _ in made]
    assert sum(new for _, new in again) == 3
    assert store.count(campaign="night") == 23
    assert store.count(["failed"], campaign="night") == store.count(["cancelled"], campaign="night") == 1


def test_a_cell_that_is_there_twice_is_one_job(store):
    one, other = cells(1), cells(1)
    made = store.create_many([*one, *other], campaign="night")
    assert made == [(one[0].id, True), (one[0].id, False)]


def test_a_job_of_the_same_spec_joins_and_belongs_to_both(store):
    (alone,) = [i for i, _ in store.create_many(cells(1))]
    ((first, new), _) = store.create_many(cells(2), campaign="a")
    ((second, _), (third, _)) = store.create_many(cells(2), campaign="b")
    assert (first, new, second) == (alone, False, alone)
    assert store.get(alone).campaigns == ("a", "b")
    assert store.campaigns() == (("b", 2), ("a", 2))
    store.ask(alone, "pause")
    for name in ("a", "b"):
        assert ids(store.list(["paused"], campaign=name)) == [alone]
        assert ids(store.list(["queued"], campaign=name)) == [third]


def test_a_failed_job_of_another_campaign_is_queued_anew(store):
    store.create_many(cells(1), campaign="a")
    claim = store.claim("w", "h", ["any"], 30, ROOTS)
    store.finish(claim.record.id, claim.token, Outcome(StopReason.DIVERGED, "", 1))
    ((other, new),) = store.create_many(cells(1), campaign="b")
    assert new and store.get(other).campaigns == ("b",)


def test_nothing_is_written_where_one_does_not_hold(store):
    wrong = [
        (cells(1, "odd", priority=10), "a", "not between 0 and 9"),
        (cells(1, "odd", device_class="tpu"), "a", "device class"),
        (cells(1), "a:b", "cannot be the name of a campaign"),
    ]
    for last, campaign, message in wrong:
        with pytest.raises(UsageError, match=message):
            store.create_many([*cells(5), *last], campaign=campaign)
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.create_many([*cells(5), NewJob("x", {"a": float("nan")}, {}, "s", "n", 1)])
    assert store.connection.redis.keys("*") == []


def test_removed_jobs_leave_nothing_of_their_campaigns_behind(store):
    made = store.create_many(cells(3), campaign="a")
    store.create_many(cells(2), campaign="b")
    for job_id, _ in made:
        store.ask(job_id, "cancel")
        store.remove(job_id)
    assert set(store.connection.redis.keys("*")) == {store.keys.audit, store.keys.schema}


@pytest.fixture
def many(store):
    """Jobs of every state and two campaigns, in ties and apart; newest first."""
    for turn in range(6):
        store.create_many(cells(10, f"a{turn}"), campaign="a")
        store.create_many(cells(5, f"b{turn}"), campaign="b")
    records = store.list(limit=1000)
    for i, record in enumerate(records):
        if i % 3:
            store.ask(record.id, "pause" if i % 3 == 1 else "cancel")
    return store.list(limit=1000)


@pytest.mark.parametrize("states", [None, ["queued"], ["queued", "paused"], list(JobState), ["failed"]])
@pytest.mark.parametrize("campaign", [None, "a", "b", "none"])
def test_every_page_of_every_choice_is_the_page_of_the_whole(store, many, states, campaign):
    whole = [
        r
        for r in many
        if (states is None or r.state in states) and (campaign is None or campaign in r.campaigns)
    ]
    assert store.count(states, campaign=campaign) == len(whole)
    for limit, offset in itertools.product((1, 7, 50), (0, 1, 13, 40, 89, 90, 200)):
        found = store.list(states, limit, offset, campaign=campaign)
        assert ids(found) == ids(whole[offset : offset + limit]), (limit, offset)


def test_pages_of_a_time_end_where_it_ends(store, many):
    times = sorted({r.created for r in many})
    for since, until in [(times[2], times[5]), (None, times[3]), (times[-1], None), (times[-1] + 1, None)]:
        for states in (None, ["queued", "cancelled"]):
            whole = [
                r for r in many
                if (since is None or r.created >= since) and (until is None or r.created <= until)
                and (states is None or r.state in states)
            ]  # fmt: skip
            assert store.count(states, since=since, until=until) == len(whole)
            for limit, offset in ((7, 0), (7, 7), (50, 0), (7, 1000)):
                found = store.list(states, limit, offset, since=since, until=until)
                assert ids(found) == ids(whole[offset : offset + limit])


def test_two_states_given_twice_are_listed_once(store, many):
    assert store.list(["queued", "queued"], 100) == store.list(["queued"], 100)


def test_what_is_said_of_a_campaign_after_its_removal_makes_no_half_record(store):
    """A sweeper may have read it just before; each look at half a record would end its sweep."""
    campaigns = Campaigns(store.connection)
    campaigns.begin("night", {"stages": {"s": {}}}, "")
    campaigns.set("night", state="active", cells=3)
    assert (campaigns.get("night").state, campaigns.get("night").cells) == ("active", 3)
    campaigns.forget("night")
    campaigns.set("night", state="stopped")
    redis = store.connection.redis
    assert not redis.exists("srq:campaign:night:record") and not redis.smembers(store.keys.open_campaigns)
    redis.hset("srq:campaign:night:record", "looked", 3)  # by an older version
    redis.sadd(store.keys.open_campaigns, "night")
    assert campaigns.open() == () and campaigns.find("night") is None
