"""Event streams: bounded, whole from the first iteration, and readers keep their place."""

import itertools

import pytest
from ulid import ULID

from srqueue.run.events import Event
from srqueue.store.store import EVENTS_KEPT

MOST = EVENTS_KEPT * 3 // 2
EXACT = EVENTS_KEPT // 4


@pytest.fixture
def job(store):
    record, _ = store.create(str(ULID()), spec={}, origins={}, spec_id="s", name="job", total_iter=100)
    return record.id


@pytest.fixture
def tell(store, job):
    """Appends events in calls of a relay's size; (kind, iteration) of each."""
    token = store.claim("w1", "host", ["any"], 30, {"root": "/runs"}).token
    number = itertools.count()

    def tell(events):
        for batch in itertools.batched(events, 200) if hasattr(itertools, "batched") else batches(events):
            lines = [Event(next(number), 0.0, token, it, kind, {"loss": 0.5}).line() for kind, it in batch]
            store.append_events(job, token, lines)

    return tell


def batches(events):
    left = iter(events)
    while batch := tuple(itertools.islice(left, 200)):
        yield batch


def read(store, job, after="0-0"):
    found = []
    while lines := store.events(job, after):
        after = lines[-1][0]
        found += [Event.parse(line) for _, line in lines]
    return found, after


def long_run(iterations, every):
    """A training of many hours: reports, validations, checkpoints, phases and now and then an act."""
    yield "phase", 0
    for it in range(every, iterations + 1, every):
        yield "train", it
        if it % (every * 100) == 0:
            yield "val", it
        if it % (every * 20) == 0:
            yield "checkpoint", it
        if it % (every * 3000) == 0:
            yield "action", it
    yield "phase", iterations


def test_a_short_job_keeps_every_line(store, job, tell):
    told = [("train", it) for it in range(1, MOST)]
    tell(told)
    assert [(e.kind, e.it) for e in read(store, job)[0]] == told


def test_a_long_job_keeps_a_whole_curve_and_its_newest_lines(store, job, tell):
    told = list(long_run(1_200_000, 100))
    tell(told)
    kept = [(e.kind, e.it) for e in read(store, job)[0]]
    assert len(told) > 12_000 and len(kept) <= MOST
    assert kept[-EXACT:] == told[-EXACT:]
    train = [it for kind, it in kept if kind == "train"]
    assert train[0] == 100 and train == sorted(set(train))
    gaps = [after / before for before, after in itertools.pairwise(train) if before > 2000]
    assert max(gaps) < 1.05, "the curve has holes"
    assert [e for e in kept if e[0] == "val"] == [e for e in told if e[0] == "val"]
    acts = ("phase", "action")
    assert [e for e in kept if e[0] in acts] == [e for e in told if e[0] in acts]


def test_a_storm_of_one_kind_takes_no_other_kinds_place(store, job, tell):
    first = [("phase", 0), ("train", 10), ("action", 10), ("val", 20), ("action", 20)]
    tell([*first, *[("message", 20)] * 10_000])
    kept = [(e.kind, e.it) for e in read(store, job)[0]]
    assert len(kept) <= MOST
    assert [e for e in kept if e[0] != "message"] == first


@pytest.mark.parametrize("kind", ["action", "val", "phase", "train"])
def test_no_kind_grows_without_bound(store, job, tell, kind):
    tell((kind, it % 7 * 1000) for it in range(5000))  # goes back again and again
    kept = read(store, job)[0]
    assert len(kept) <= MOST
    assert (kept[0].n, kept[-1].n) == (0, 4999)


def test_a_training_that_went_back_keeps_the_points_of_both_ways(store, job, tell):
    tell(("train", it) for it in range(10, 10_001, 10))
    tell(("train", it) for it in range(5_010, 20_001, 10))
    kept = [e.it for e in read(store, job)[0]]
    (turn,) = [i for i, (before, after) in enumerate(itertools.pairwise(kept)) if after < before]
    assert kept[turn] > 9800 and kept[turn + 1] == 5010


def test_a_reader_goes_on_behind_its_place_while_the_stream_is_thinned(store, job, tell):
    tell(long_run(50_000, 100))
    seen, place = read(store, job)
    more = [("train", it) for it in range(50_100, 400_000, 100)]
    news = []
    for start in range(0, len(more), 150):  # it reads at least as often as lines grow old
        tell(more[start : start + 150])
        found, place = read(store, job, place)
        news += found
    assert [(e.kind, e.it) for e in news] == more
    assert [e.n for e in seen + news] == list(range(len(seen) + len(news)))


def test_the_history_of_a_restored_job_is_thinned_as_well(store, job):
    lines = (Event(n, 0.0, 1, n, "train", {}).line() for n in range(20_000))
    store.append_history(job, lines)
    kept = read(store, job)[0]
    assert len(kept) <= MOST
    assert (kept[0].n, kept[-1].n) == (0, 19_999)
