"""Jobs are found by a piece of their name, and stand in line by priority, age and id."""

from srqueue.run.reasons import JobState
from srqueue.store import names
from srqueue.store.new import NewJob
from srqueue.store.overview import count_campaigns, leases, newest_event, ready_ids
from srqueue.store.record import WorkerRecord

WORKER = WorkerRecord(name="w", host="h", pid=1, classes=("any",), device="", version="", since=1.0)


def make(store, called, first=0, **more):
    ids = [f"01HZZZZZZZZZZZZZZZZZZZ{first + n:04d}" for n in range(len(called))]
    store.create_many(
        [NewJob(i, {}, {}, i, name, 9) for i, name in zip(ids, called, strict=True)], again=True, **more
    )
    return ids


def test_a_piece_of_a_name_is_taken_literally_but_for_its_case(store):
    make(store, ["Night_1", "night_2", "a*b", "a[b]?", "axb", "tag^-\\", "é"])

    def found(text):
        return sorted(names.names_with(store.connection, text, 50, 10)[0])

    assert found("NIGHT") == ["Night_1", "night_2"]
    assert found("a*b") == ["a*b"]
    assert found("[b]?") == ["a[b]?"]
    assert found("^-\\") == ["tag^-\\"]
    assert found("é") == ["é"]
    assert found("none") == []


def test_of_many_names_it_says_that_there_are_more(store):
    make(store, [f"cell_{n}" for n in range(300)])
    some, more = names.names_with(store.connection, "cell", 20, 50)
    assert len(some) == 20 and more
    every, more = names.names_with(store.connection, "cell", 300, 50)
    assert len(every) == 300 and not more


def test_states_of_ids_leave_out_what_is_gone_or_of_another_campaign(store):
    one, two = make(store, ["x", "y"])
    (three,) = make(store, ["z"], 5, campaign="night")
    store.ask(two, "cancel")
    assert names.states_of(store.connection, [three, "gone", two, one], None) == {
        three: JobState.QUEUED, two: JobState.CANCELLED, one: JobState.QUEUED,
    }  # fmt: skip
    assert list(names.states_of(store.connection, [one, three], "night")) == [three]
    assert count_campaigns(store.connection, ["night", "none"])["night"][JobState.QUEUED] == 1


def test_jobs_of_one_moment_stand_behind_each_other_as_they_are_claimed(store):
    ids = make(store, ["a", "b", "c"])
    store.announce_worker(WORKER, 60)
    store.set_priority(ids[2], 9)
    in_line = [ids[2], ids[0], ids[1]]
    assert ready_ids(store.connection, [WORKER], 10) == in_line
    records = [store.get(i) for i in in_line]
    found = store.aheads([(r, [WORKER]) for r in records])
    assert [found[i] for i in in_line] == [store.ahead(r, [WORKER]) for r in records] == [0, 1, 2]
    assert [r.id for r in store.first_ahead(records[2], [WORKER], 5)] == in_line[:2]
    assert [r.id for r in store.first_ahead(records[2], [WORKER], 1)] == in_line[:1]
    claimed = [store.claim("w:1", "h", ["any"], 30, {"r": "/r"}).record.id for _ in ids]
    assert claimed == in_line


def test_leases_and_newest_events_are_of_those_that_have_some(store):
    one, two = make(store, ["a", "b"])
    claim = store.claim("w:1", "h", ["any"], 30, {"r": "/r"})
    assert claim.record.id == one
    _, left = leases(store.connection, [one, two])
    assert left.keys() == {one} and 0 < left[one] <= 30
    assert newest_event(store.connection, one) is None
    store.append_events(one, claim.token, ["{}"])
    assert newest_event(store.connection, one) == store.events(one)[-1][0]
