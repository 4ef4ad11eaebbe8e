"""Does it pay that a slow worker leaves a job to a faster one that is free soon?

A queue of one fast and one slow worker, simulated: jobs come by chance (Poisson) with lengths of a log-normal
distribution (mean: an hour on the slow one), and forecasts of them are wrong by 30 %. `load` is the share of
what both can do together. Greedy: whoever is free takes the next job.
"""

import heapq
import random
import statistics

from benchmarks.machine import machine, write
from srqueue.queue.leaving import GRACE, LATER, WORTH

JOBS, SEEDS, DOUBT = 4000, 5, 0.3


def simulate(leaving: bool, faster: float, load: float, seed: int) -> tuple[float, float]:
    """(hours from submit to end, on average; hours until all have ended)."""
    dice = random.Random(seed)
    now, jobs = 0.0, []
    for _ in range(JOBS):
        now += dice.expovariate(load * (faster + 1))
        length = dice.lognormvariate(-0.5, 1.0)
        jobs.append((now, length, length * dice.lognormvariate(0.0, DOUBT)))
    speeds, free, expected = (faster, 1.0), [0.0, 0.0], [0.0, 0.0]
    events, waiting, until, spans, come = [at for at, *_ in jobs], [], {}, [], 0
    while events:
        now = heapq.heappop(events)
        while come < JOBS and jobs[come][0] <= now:
            waiting.append(come)
            come += 1
        for worker in (0, 1):
            if free[worker] > now or not waiting:
                continue
            job = waiting[0]
            begun, length, forecast = jobs[job]
            if worker == 1 and leaving and len(waiting) == 1:
                wait = max(expected[0] - now, 0.0)
                if job not in until and free[0] > now and wait + forecast / faster < WORTH * forecast:
                    until[job] = now + LATER * wait + GRACE / 3600
                    heapq.heappush(events, until[job])
                if now < until.get(job, 0.0):
                    continue
            waiting.pop(0)
            free[worker], expected[worker] = now + length / speeds[worker], now + forecast / speeds[worker]
            heapq.heappush(events, free[worker])
            spans.append(free[worker] - begun)
    return statistics.mean(spans), max(free)


def main() -> None:
    """Writes results/leaving.json."""
    table = []
    for faster in (1.5, 3.0, 10.0, 50.0):
        for load in (0.1, 0.4, 0.7, 0.95):
            greedy, left = ([simulate(how, faster, load, s) for s in range(SEEDS)] for how in (False, True))
            table.append({
                "times_faster": faster, "load": load,
                "hours_greedy": round(statistics.mean(span for span, _ in greedy), 3),
                "hours_leaving": round(statistics.mean(span for span, _ in left), 3),
                "all_ended_after": round(
                    statistics.mean(b / a for (_, a), (_, b) in zip(greedy, left, strict=True)), 3
                ),
            })  # fmt: skip
    write(
        "leaving", "python -m benchmarks.leaving", {"jobs": JOBS, "seeds": SEEDS, "table": table}, machine()
    )


if __name__ == "__main__":
    main()
