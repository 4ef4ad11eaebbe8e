"""How many jobs that do nothing does a worker do in a second, beside bare Celery tasks that do nothing?

Same server, same pool of one process, rounds in turn. A job of srqueue is claimed from the index in Redis,
gets its token, lease and attempt record, ends, and is reported to Flower; only the trainer is left out. Its
bells are in the queue before the worker starts, as are the bare tasks.

python -m benchmarks.noop_dispatch [--jobs 1000] [--rounds 5]
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import machine, write
from benchmarks.scale import cells

SHARE = 0.8
"""Of the jobs, in the middle: there the time is taken."""


def main() -> None:
    """Rounds of both in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    now = machine()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {
            "SRQUEUE_HOME": home, "SRQUEUE_DATASETS": str(Path(home) / "datasets.yaml"),
            "SRQUEUE_DEVICE": "cpu",
        }  # fmt: skip
        from srqueue.queue.client import Client
        from srqueue.settings import load_settings
        from srqueue.stack.stack import Stack

        stack = Stack(load_settings())
        stack.up(["server"])
        client = Client()
        rates: dict[str, list[float]] = {
            "srqueue": [],
            "bare Celery": [],
            "bare Celery, with our settings": [],
        }
        try:
            for number in range(given.rounds):
                rates["srqueue"].append(ours(client, given.jobs, number))
                rates["bare Celery"].append(bare(client, given.jobs, "plain"))
                rates["bare Celery, with our settings"].append(bare(client, given.jobs, "same"))
        finally:
            stack.down()
    figures: dict = {
        name: {"jobs_a_second": round(statistics.median(v)), "range": [round(min(v)), round(max(v))]}
        for name, v in rates.items()
    }
    for name in list(rates)[1:]:
        shares = [a / b for a, b in zip(rates["srqueue"], rates[name], strict=True)]
        figures[f"srqueue / {name}"] = round(statistics.median(shares), 2)
    write(
        "noop_dispatch",
        f"python -m benchmarks.noop_dispatch --jobs {given.jobs} --rounds {given.rounds}",
        figures,
        now,
    )


def ours(client, jobs: int, number: int) -> float:
    """Jobs a second of our worker."""
    from srqueue.datasets import Registry
    from srqueue.queue.doorbell import ring
    from srqueue.queue.placing import new_jobs
    from srqueue.store.record import Bell

    made = new_jobs(Registry(client.settings), cells(jobs, seed=number * jobs), 5)
    client.store.create_many(made)
    for job in made:
        ring(client.app, Bell(job.id, job.device_class, job.priority))
    before = client.store.count(["succeeded"])
    with worker("benchmarks.noop_worker"):
        return rate(jobs, lambda: client.store.count(["succeeded"]) - before)


def bare(client, jobs: int, name: str) -> float:
    """Tasks a second of a bare worker."""
    from benchmarks import bare_worker

    app, queue = (bare_worker.plain, "celery") if name == "plain" else (bare_worker.same, "srqueue.any")
    for number in range(jobs):
        app.tasks["nothing"].apply_async([f"job {number}"])
    redis = client.store.connection.redis
    with worker(f"benchmarks.bare_worker:{name}"):
        return rate(jobs, lambda: jobs - redis.llen(f"{name}:{queue}"))


def rate(jobs: int, done) -> float:
    """Jobs a second between the first and the last tenth."""
    first, last = jobs * (1 - SHARE) / 2, jobs * (1 + SHARE) / 2
    begun = None
    until = time.monotonic() + 300
    while time.monotonic() < until:
        number, now = done(), time.perf_counter()
        if begun is None and number >= first:
            begun = number, now
        if begun is not None and number >= last:
            return (number - begun[0]) / (now - begun[1])
        time.sleep(0.02)
    sys.exit(f"only {done()} of {jobs} were done in five minutes")


@contextlib.contextmanager
def worker(app: str):
    """A Celery worker of one process."""
    argv = [sys.executable, "-m", "celery", "-A", app, "worker", "--pool", "prefork", "--concurrency", "1"]
    argv += ["--without-gossip", "--without-mingle", "-n", "w@here", "-l", "WARNING"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


if __name__ == "__main__":
    main()
