"""What fits into so many hours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.forecast.choosing import Candidate, choose, expected_gain, spread_of
from srqueue.forecast.fleet import Server, Task

ONE = [Server("w", 1, ("any",))]


def job(name, hours, mean, sd=0.1, after=(), data="d"):
    return Candidate(Task(name, hours * 3600, after=frozenset(after)), (mean, sd), data)


def ids(choice):
    return [c.id for c in choice.order]


def test_the_most_gain_an_hour_goes_first_and_what_does_not_fit_is_left():
    jobs = [job("long", 10, 31.0), job("short", 1, 30.9), job("bad", 1, 25.0)]
    choice = choose(jobs, [], ONE, 11.5 * 3600, {"d": 30.5})
    assert ids(choice) == ["short", "long"] and choice.rest == ("bad",)


def test_a_baseline_comes_before_what_begins_with_it_and_is_paid_by_it():
    jobs = [job("fidelity", 4, 33.0, after=["base"]), job("base", 1, 29.0), job("other", 4, 31.5)]
    choice = choose(jobs, [], ONE, 5 * 3600, {"d": 30.0})
    assert ids(choice) == ["base", "fidelity"] and choice.rest == ("other",)


def test_what_runs_takes_its_time():
    running = [Task("r", 2 * 3600, on="w")]
    assert ids(choose([job("a", 1, 31.0)], running, ONE, 2.5 * 3600, {"d": 30.0})) == []
    assert ids(choose([job("a", 1, 31.0)], running, ONE, 3.5 * 3600, {"d": 30.0})) == ["a"]


def test_what_is_open_is_worth_a_try_and_what_was_reached_is_worth_less():
    assert expected_gain((30.0, 0.5), 30.0) > expected_gain((30.0, 0.1), 30.0) > 0
    assert expected_gain((30.0, 0.0), 31.0) == 0 and expected_gain((32.0, 0.0), 31.0) == 1.0
    assert expected_gain((32.0, 0.1), 30.0) == pytest.approx(2.0, abs=1e-3)
    assert spread_of(30.0, 30.0) == 0


ROWS = st.lists(
    st.tuples(st.integers(1, 9), st.floats(28, 33), st.sets(st.integers(0, 9), max_size=2)), max_size=10
)


@given(ROWS, st.integers(1, 25), st.integers(1, 3))
def test_a_plan_keeps_to_the_hours_and_to_the_order(rows, hours, slots):
    jobs = [
        job(str(n), length, mean, after=[str(i) for i in after if i < n])
        for n, (length, mean, after) in enumerate(rows)
    ]
    choice = choose(jobs, [], [Server("w", slots, ("any",))], hours * 3600, {"d": 30.0})
    placed = {c.id: c.slot for c in choice.order}
    assert set(placed) | set(choice.rest) == {c.task.id for c in jobs} and not set(placed) & set(choice.rest)
    for candidate in jobs:
        if (slot := placed.get(candidate.task.id)) is not None:
            assert slot.end <= hours * 3600
            assert all(i in placed and placed[i].end <= slot.begin for i in candidate.task.after)
