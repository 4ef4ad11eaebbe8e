"""Does successive halving find what the whole grid finds, and what does it cost?

Replays the recorded curves of `results/grid_curves.json` with the rule that a search uses
(srqueue.campaign.search.asha): each trial goes from rung to rung, all at the same pace, as many at a time
as there are workers. Nothing is trained. Random orders of the cells show how much of it is luck.

python -m benchmarks.asha [--orders 200]
"""

import argparse
import json
import random
import statistics
from dataclasses import dataclass
from typing import Literal

from benchmarks.machine import RESULTS, machine, write
from srqueue.campaign.search.asha import Standing, Trial, decide

CURVES = "grid_curves"
METHODS: tuple[Literal["asha", "halving"], ...] = ("asha", "halving")
RUNGS = {"3": (200, 600), "2": (200, 400, 800)}
"""By factor; the end of the run stands above them."""


@dataclass(frozen=True)
class Found:
    """`best`: name of the best cell that came to its end; `iterations`: of all trials together."""

    best: str
    psnr: float
    iterations: int
    at_end: int


def name(cell: dict) -> str:
    """`SOAP 0.006, 24 wide`."""
    return f"{cell['optimizer']} {cell['lr']:g}, {cell['num_feat']} wide"


def curves() -> tuple[dict[str, dict[int, float]], int]:
    """(PSNR by iteration of each cell, iterations of a whole run) as they were recorded."""
    figures = json.loads((RESULTS / f"{CURVES}.json").read_text())["figures"]
    known = {name(r["cell"]): {it: psnr for it, psnr, _ in r["curve"]} for r in figures["runs"]}
    return known, figures["iterations"]


def whole_grid(known: dict[str, dict[int, float]], length: int) -> Found:
    """Every cell to its end."""
    best = max(known, key=lambda cell: known[cell][length])
    return Found(best, known[best][length], length * len(known), len(known))


def replay(
    known: dict[str, dict[int, float]], length: int, rungs: tuple[int, ...], one_of: int,
    method: Literal["asha", "halving"], workers: int = 1,
) -> Found:  # fmt: skip
    """A search over the cells in their order; each worker takes who goes on before who is new."""
    trials = {cell: Trial(cell, Standing.NEW, {}) for cell in known}
    until: dict[str, int] = {}
    done = dict.fromkeys(known, 0)
    while True:
        going = [t.id for t in trials.values() if t.standing is Standing.GOING]
        decision = decide(list(trials.values()), rungs, one_of, method)
        ready = [(cell, rung or length) for cell, rung in decision.promoted]
        ready += [(t.id, rungs[0]) for t in trials.values() if t.standing is Standing.NEW]
        for cell, rung in ready[: workers - len(going)]:
            until[cell] = rung
            trials[cell] = Trial(cell, Standing.GOING, trials[cell].values)
            going.append(cell)
        if not going:
            break
        step = min(until[cell] - done[cell] for cell in going)
        for cell in going:
            done[cell] += step
            if done[cell] == length:
                trials[cell] = Trial(cell, Standing.OVER, trials[cell].values)
            elif done[cell] == until[cell]:
                values = {**trials[cell].values, until[cell]: known[cell][until[cell]]}
                trials[cell] = Trial(cell, Standing.WAITS, values)
    ended = [cell for cell in known if done[cell] == length]
    best = max(ended, key=lambda cell: known[cell][length])
    return Found(best, known[best][length], sum(done.values()), len(ended))


def shuffled(known: dict[str, dict[int, float]], seed: int) -> dict[str, dict[int, float]]:
    """The same cells in another order."""
    names = list(known)
    random.Random(seed).shuffle(names)
    return {cell: known[cell] for cell in names}


def main() -> None:
    """Writes results/asha.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--orders", type=int, default=200, help="random orders of the cells")
    args = parser.parse_args()
    known, length = curves()
    grid = whole_grid(known, length)
    table = []
    for factor, rungs in RUNGS.items():
        for method in METHODS:
            for workers in (1, 4):
                one = replay(known, length, rungs, int(factor), method, workers)
                many = [
                    replay(shuffled(known, s), length, rungs, int(factor), method, workers)
                    for s in range(args.orders)
                ]
                shares = [f.iterations / grid.iterations for f in many]
                table.append({
                    "method": method, "factor": int(factor), "rungs": rungs, "workers": workers,
                    "best": one.best, "same_as_grid": one.best == grid.best, "came_to_its_end": one.at_end,
                    "share_of_iterations": round(one.iterations / grid.iterations, 3),
                    "orders": args.orders,
                    "orders_with_the_same_best": sum(f.best == grid.best for f in many),
                    "mean_share_of_iterations": round(statistics.mean(shares), 3),
                    "mean_db_below_the_grid": round(statistics.mean(grid.psnr - f.psnr for f in many), 4),
                })  # fmt: skip
    figures = {
        "grid": {"cells": len(known), "iterations": grid.iterations, "best": grid.best, "psnr_y": grid.psnr},
        "searches": table,
    }
    write("asha", f"python -m benchmarks.asha --orders {args.orders}", figures, machine())


if __name__ == "__main__":
    main()
