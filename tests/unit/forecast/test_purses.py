"""Queues played through until a budget is spent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.forecast.fleet import Server, Slot, Task, play_budgets, play_queue
from srqueue.forecast.purses import Budget

TWO = [Server("w", 2, ("any",))]


def paid(number, seconds, **more):
    return Task(str(number), seconds, order=number, budget="night", **more)


def play(tasks, servers=TWO, **budget):
    return play_budgets(tasks, servers, None, {"night": Budget(**budget)})


def test_time_of_all_slots_is_spent_together_and_others_go_on():
    tasks = [paid(1, 60), paid(2, 100), paid(3, 50), Task("own", 40, order=9)]
    played = play(tasks, seconds=150)
    # Two run until 60 and have spent 120; 3 begins then, and at 75 all is spent.
    assert played.spent == {"night": 75} and played.cut == {"2", "3"}
    assert played.slots == {"1": Slot(0, 60), "2": Slot(0, 75), "3": Slot(60, 75), "own": Slot(75, 115)}
    assert "4" not in play([*tasks, paid(4, 5)], seconds=150).slots


def test_energy_is_spent_by_what_draws_it():
    tasks = [paid(1, 7200, kw=0.5), paid(2, 3600, kw=0.25), paid(3, 3600)]
    played = play(tasks, kwh=1.0)
    # 0.75 kWh in the first hour, 0.5 kW from then on.
    assert played.spent["night"] == pytest.approx(5400) and played.cut == {"1", "3"}
    assert play(tasks, kwh=2.0).spent == {}


def test_a_moment_ends_what_runs_and_what_is_spent_already_lets_nothing_begin():
    played = play([paid(1, 100), paid(2, 10), paid(3, 100)], until=30)
    assert played.slots == {"1": Slot(0, 30), "2": Slot(0, 10), "3": Slot(10, 30)}
    assert play([paid(1, 1)], seconds=0).slots == {}


def test_what_waits_for_one_that_was_cut_short_goes_on_with_its_model():
    tasks = [paid(1, 100), Task("next", 5, after=frozenset("1"))]
    assert play(tasks, seconds=10).slots["next"] == Slot(10, 15)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=10), st.integers(1, 3), st.integers(1, 300))
def test_no_more_is_spent_than_there_is_and_without_need_nothing_changes(lengths, slots, seconds):
    tasks, servers = [paid(n, s) for n, s in enumerate(lengths)], [Server("w", slots, ("any",))]
    played = play(tasks, servers, seconds=seconds)
    spent = sum(slot.end - slot.begin for slot in played.slots.values())
    assert spent == pytest.approx(min(seconds, sum(lengths)))
    if seconds > sum(lengths):
        assert played.slots == play_queue(tasks, servers) and not played.cut
