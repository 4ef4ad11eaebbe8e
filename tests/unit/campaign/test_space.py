"""Spaces: what can be drawn from them, and what is told of a wrong one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.campaign.cells import cells_of, count
from srqueue.campaign.search import space
from srqueue.campaign.search.space import DimensionSpec, at_random, corners, grid
from srqueue.campaign.spec import campaign_of
from srqueue.errors import SpecError

SPACE = {
    "lr": DimensionSpec(log=(1e-4, 1e-2)),
    "decay": DimensionSpec(uniform=(0.0, 0.5)),
    "width": DimensionSpec.model_validate({"int": [8, 64]}),
    "type": DimensionSpec(choice=("SOAP", "AdamW")),
}


def campaign(search, **raw):
    return campaign_of({"base": {"dataset": "cc0"}, "search": search, **raw}, "night.yaml", "night")


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(0, 10))
def test_more_trials_leave_the_earlier_ones_as_they_are(seed, trials, more):
    few, many = at_random(SPACE, trials, seed), at_random(SPACE, trials + more, seed)
    assert many[:trials] == few and len(few) == trials
    for row in many:
        assert 1e-4 <= row["lr"] <= 1e-2 and 0 <= row["decay"] <= 0.5
        assert row["width"] in range(8, 65) and row["type"] in ("SOAP", "AdamW")
    assert len({repr(row) for row in many}) == len(many)


def test_a_logarithm_is_drawn_evenly_in_it():
    rows = at_random({"lr": DimensionSpec(log=(1e-4, 1e-2))}, 1000, 1)
    assert 450 < sum(row["lr"] < 1e-3 for row in rows) < 550


def test_of_a_small_space_each_is_drawn_once():
    rows = at_random({"x": DimensionSpec(choice=(1, 2, 3))}, 10, 0)
    assert sorted(row["x"] for row in rows) == [1, 2, 3]


def test_rows_that_hold_mappings_and_lists_are_told_apart_by_their_values():
    choices = ({"type": "wsd"}, {"type": "cosine"}, [1, 2], [2, 1], 1, 1.0, None)
    rows = at_random({"x": DimensionSpec(choice=choices)}, 50, 0)
    assert len(rows) == 6 and all(rows.count(row) == 1 for row in rows)


def test_the_time_of_a_draw_grows_as_its_trials_do(monkeypatch):
    compared = []

    class Counted(float):
        __hash__ = float.__hash__

        def __eq__(self, other):
            compared.append(1)
            return float(self) == float(other)

    monkeypatch.setattr(space, "_short", lambda value, low, high: Counted(value))
    assert len(at_random({"lr": DimensionSpec(log=(1e-4, 1e-2))}, 2000, 1)) == 2000
    assert len(compared) < 20_000


def test_a_grid_is_every_combination():
    space = {"a": DimensionSpec(choice=(1, 2)), "b": DimensionSpec.model_validate({"int": [3, 5]})}
    assert len(grid(space)) == 6 and {"a": 2, "b": 4} in grid(space)


def test_corners_hold_every_end_and_every_choice():
    rows = corners(SPACE)
    assert {row["lr"] for row in rows} == {1e-4, 1e-2} and {row["width"] for row in rows} == {8, 64}
    assert {row["type"] for row in rows} == {"SOAP", "AdamW"}


def test_a_space_stands_beside_a_matrix():
    search = {"rungs": [10], "space": {"train.optim_g.lr": {"log": [1e-4, 1e-2]}}, "trials": 3}
    made = campaign(search, matrix={"arch": ["compact", "span"]})
    assert count(made) == len(cells_of(made)) == 6
    first, second = ([c.axes for c in cells_of(made) if c.choices["arch"] == a] for a in ("compact", "span"))
    assert [a["train.optim_g.lr"] for a in first] == [a["train.optim_g.lr"] for a in second]


def test_cells_that_are_drawn_while_it_runs_are_not_there_yet():
    search = {"rungs": [10], "space": {"train.optim_g.lr": {"log": [1e-4, 1e-2]}}, "trials": 3}
    made = campaign({**search, "sampler": "tpe"})
    assert cells_of(made) == ()
    assert count(made) == 3  # and they count where a user is asked about thousands


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({}, "search: asha compares at rungs"),
        ({"rungs": [3, 1]}, "do not grow"),
        ({"rungs": {"min": 100, "facto": 3}}, "search.rungs.facto: unknown key; did you mean 'factor'"),
        ({"rungs": [0]}, "search.rungs.0: "),
        ({"methd": "asha"}, "search.methd: unknown key; did you mean 'method'"),
        ({"rungs": [1], "metric": "val/pnsr"}, "search.metric: "),
        ({"rungs": [1], "trials": 3}, "`trials` is how many"),
        ({"rungs": [1], "space": {"a": {"choice": [1]}}}, "a space needs `trials: N`"),
        (
            {"rungs": [1], "space": {"a": {"log": [1, 2]}}, "sampler": "grid"},
            "a grid needs values: a has none",
        ),
        ({"rungs": [1], "space": {"a": {"log": [0, 1]}}, "trials": 3}, "ends above 0"),
        ({"rungs": [1], "space": {"a": {"int": [3, 3]}}, "trials": 3}, "3 is not below 3"),
        ({"rungs": [1], "space": {"a": {"int": [1, 3], "log": [1, 3]}}, "trials": 3}, "exactly one of"),
        ({"rungs": [1], "space": {"a": {"lgo": [1, 3]}}, "trials": 3}, "search.space.a.lgo: unknown key"),
        ({"rungs": list(range(1, 30))}, "29 rungs are more than 20"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(search, message):
    with pytest.raises(SpecError) as error:
        campaign(search)
    assert message in str(error.value)
