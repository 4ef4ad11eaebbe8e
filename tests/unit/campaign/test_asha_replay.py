"""What a search would have found on curves that were recorded from real trainings."""

import pytest

from benchmarks.asha import RUNGS, curves, replay, shuffled, whole_grid


@pytest.fixture(scope="module")
def recorded():
    known, length = curves()
    assert len(known) >= 16 and all(max(curve) == length for curve in known.values())
    return known, length


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("method", ["asha", "halving"])
def test_a_search_finds_the_best_cell_of_the_whole_grid_with_under_half_of_the_iterations(
    recorded, method, workers
):
    known, length = recorded
    grid = whole_grid(known, length)
    found = replay(known, length, RUNGS["3"], 3, method, workers)
    assert found.best == grid.best
    assert found.iterations < grid.iterations / 2


@pytest.mark.parametrize("method", ["asha", "halving"])
def test_in_whatever_order_the_cells_begin(recorded, method):
    known, length = recorded
    grid = whole_grid(known, length)
    found = [replay(shuffled(known, seed), length, RUNGS["3"], 3, method, 2) for seed in range(20)]
    assert [one.best for one in found] == [grid.best] * 20
    assert all(one.iterations < grid.iterations / 2 for one in found)
