"""Queues played through where jobs and workers may not always train, against a play hour by hour."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srqueue.forecast.fleet import Server, Slot, Task, play_queue
from srqueue.forecast.open_time import OpenTime
from srqueue.spec.windows import Window, parse_windows

HOUR = 3600
MONDAY = datetime(2026, 1, 5, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def clock(local_time):
    local_time("UTC")


def hours(*texts):
    return OpenTime([parse_windows(text) for text in texts], MONDAY)


def test_a_job_is_interrupted_where_its_window_closes_and_another_takes_its_slot():
    night = hours("0:00-6:00")
    tasks = [Task("n", 8 * HOUR, order=1, hours=night), Task("d", 20 * HOUR, order=2)]
    # n: 0 to 6, then d until 26; n goes on at 26, two hours late, and has two left.
    assert play_queue(tasks, [Server("w", 1, ("any",))]) == {
        "d": Slot(6 * HOUR, 26 * HOUR), "n": Slot(0, 28 * HOUR),
    }  # fmt: skip


def test_a_worker_that_closes_hands_its_job_to_one_of_the_same_folders():
    day = [Server("a", 1, ("any",), ("r",), hours("0:00-6:00")), Server("b", 1, ("any",), ("r",))]
    tasks = [Task("x", 8 * HOUR, order=1), Task("y", 4 * HOUR, order=2)]
    assert play_queue(tasks, day) == {"x": Slot(0, 8 * HOUR), "y": Slot(0, 4 * HOUR)}
    alone = [day[0], Server("b", 1, ("any",), ("elsewhere",))]
    assert play_queue(tasks, alone) == {"x": Slot(0, 26 * HOUR), "y": Slot(0, 4 * HOUR)}


def test_what_is_never_open_together_is_left_out():
    never = [Server("w", 1, ("any",), hours=hours("0:00-6:00"))]
    assert play_queue([Task("x", 1, hours=hours("12:00-13:00"))], never) == {}


windows = st.lists(
    st.tuples(st.integers(0, 23), st.integers(0, 24)).filter(lambda pair: pair[0] != pair[1]),
    max_size=2,
).map(lambda rows: [Window(begin=a * HOUR, end=b * HOUR) for a, b in rows])
jobs = st.lists(st.tuples(st.integers(1, 12), st.integers(3, 6), windows), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(jobs, st.integers(1, 2), windows)
def test_it_is_what_comes_out_hour_by_hour(rows, slots, of_worker):
    def may(some):
        return OpenTime([some], MONDAY) if some else None

    tasks = [Task(str(n), s * HOUR, p, n, hours=may(w)) for n, (s, p, w) in enumerate(rows)]
    server = Server("w", slots, ("any",), hours=may(of_worker))
    found = play_queue(tasks, [server])
    assert found == _by_hand(tasks, slots, server.hours)


def _by_hand(tasks, slots, of_worker):
    """Each hour: who has begun goes on while it may, free slots are given to the best that may begin."""
    left, begun, ended = {t.id: t.seconds for t in tasks}, {}, {}
    running = set()
    for hour in range(60 * 24):
        now = hour * HOUR

        def open_now(clock, now=now):
            return clock is None or clock.opens(now) == now

        usable = open_now(of_worker)
        running = {t.id for t in tasks if t.id in running and usable and open_now(t.hours)}
        ready = [t for t in tasks if left[t.id] > 0 and t.id not in running and usable and open_now(t.hours)]
        ready.sort(key=lambda t: (-t.priority, t.id not in begun, t.order))
        for task in ready[: slots - len(running)]:
            running.add(task.id)
            begun.setdefault(task.id, now)
        for i in list(running):
            left[i] -= HOUR
            if left[i] == 0:
                ended[i] = Slot(begun[i], now + HOUR)
                running.discard(i)
    return ended
