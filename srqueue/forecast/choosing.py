"""What fits into so many hours, for the best result: which jobs, in what order.

To fit as many as possible is a knapsack over several machines, with what waits for what; greedy by gain
an hour is near the best where jobs are many and short beside the hours (Dantzig, "Discrete-variable
extremum problems", 1957). The gain of a job is how far it is expected to raise the best result on its
data: E[max(x - best, 0)] of a normal x, the expected improvement of Mockus (1975), so that a job whose
outcome is open is worth a try.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from srqueue.forecast.fleet import Server, Slot, Task, play_budgets
from srqueue.forecast.purses import Budget

_Z80 = 1.2816


@dataclass(frozen=True)
class Candidate:
    """A waiting job. `psnr`: middle and standard deviation, dB; `data`: jobs of one data set and scale
    compete."""

    task: Task
    psnr: tuple[float, float]
    data: str


@dataclass(frozen=True)
class Chosen:
    """A job that fits: how much it is expected to gain (dB), and when it would run."""

    id: str
    gain: float
    slot: Slot


@dataclass(frozen=True)
class Choice:
    """`order`: what fits, the first first; `rest`: what does not, in no order."""

    order: tuple[Chosen, ...]
    rest: tuple[str, ...]


def choose(
    candidates: Sequence[Candidate], running: Sequence[Task], servers: Sequence[Server], seconds: float,
    best: Mapping[str, float], caps: Mapping[str, int] | None = None,
    budgets: Mapping[str, Budget] | None = None,
) -> Choice:  # fmt: skip
    """What fits into `seconds`, and into its budget, beside what runs. `best`: what is reached already, dB,
    by `data`.

    What another waits for comes with it, and is paid by it: a chain is as good as its gain for all its hours.
    """
    by_id = {c.task.id: c for c in candidates}
    best = dict(best)
    taken: list[str] = []
    left = [c.task.id for c in candidates]
    gains: dict[str, float] = {}
    slots: dict[str, Slot] = {}
    while left:
        chains = [(_worth(chain, by_id, best), chain) for i in left if (chain := _chain(i, by_id, taken))]
        if not chains:
            break
        (_, chain) = max(chains, key=lambda pair: (pair[0], -len(pair[1])))
        last = chain[-1]
        played = _played([*taken, *chain], by_id, running, servers, caps, budgets or {})
        # The taken ones are looked at again: what fills a gap can delay one that waits for its parent.
        if all(i in played and played[i].end <= seconds for i in [*taken, *chain]):
            for i in chain:
                gains[i] = expected_gain(by_id[i].psnr, best.get(by_id[i].data))
                raised = best.get(by_id[i].data, -math.inf)
                best[by_id[i].data] = max(
                    raised, raised + gains[i] if math.isfinite(raised) else by_id[i].psnr[0]
                )
            taken += chain
            slots = played
            left = [i for i in left if i not in taken]
        else:
            left.remove(last)
    order = sorted(
        (Chosen(i, gains[i], slots[i]) for i in taken), key=lambda c: (c.slot.begin, taken.index(c.id))
    )
    return Choice(tuple(order), tuple(i for i in by_id if i not in gains))


def expected_gain(psnr: tuple[float, float], best: float | None) -> float:
    """E[max(x - best, 0)], dB, of a normal x of that mean and deviation; without a best, as if that were
    two of the deviations below the mean."""
    mean, sd = psnr
    if best is None:
        return 2 * sd
    if sd <= 0:
        return max(mean - best, 0.0)
    z = (mean - best) / sd
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return sd * (z * (1 + math.erf(z / math.sqrt(2))) / 2 + density)


def spread_of(low: float, high: float) -> float:
    """The standard deviation that an 80 % band stands for."""
    return (high - low) / (2 * _Z80)


def _chain(job: str, by_id: Mapping[str, Candidate], taken: Iterable[str]) -> list[str]:
    """What must be done for `job`, itself the last; of what it waits for, what is not taken yet."""
    done, found, open_ = set(taken), list[str](), set[str]()

    def visit(i: str) -> None:
        if i in done or i in open_ or i not in by_id:
            return
        open_.add(i)
        for parent in sorted(by_id[i].task.after):
            visit(parent)
        found.append(i)

    visit(job)
    return found


def _worth(chain: Sequence[str], by_id: Mapping[str, Candidate], best: Mapping[str, float]) -> float:
    """dB an hour."""
    hours = sum(by_id[i].task.seconds for i in chain) / 3600
    gains = [expected_gain(by_id[i].psnr, best.get(by_id[i].data)) for i in chain]
    return max(gains) / max(hours, 1e-6)


def _played(
    chosen: Sequence[str], by_id: Mapping[str, Candidate], running: Sequence[Task], servers: Sequence[Server],
    caps: Mapping[str, int] | None, budgets: Mapping[str, Budget],
) -> dict[str, Slot]:  # fmt: skip
    """As if they were the only ones, each ahead of those behind it; without what a budget cuts short."""
    tasks = [replace(by_id[i].task, priority=5, order=(0, place)) for place, i in enumerate(chosen)]
    played = play_budgets([*running, *tasks], servers, caps, budgets)
    return {i: slot for i, slot in played.slots.items() if i not in played.cut}
