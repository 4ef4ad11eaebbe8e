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

import psutil

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
        paces: dict[str, list[tuple[float, float]]] = {
            "srqueue": [],
            "bare Celery": [],
            "bare Celery, with our settings": [],
        }
        try:
            for number in range(given.rounds):
                paces["srqueue"].append(ours(client, given.jobs, number))
                paces["bare Celery"].append(bare(client, given.jobs, "plain"))
                paces["bare Celery, with our settings"].append(bare(client, given.jobs, "same"))
        finally:
            stack.down()
    figures: dict = {
        name: {
            "jobs_a_second": round(statistics.median(pace for pace, _ in v)),
            "range": [round(min(v)[0]), round(max(v)[0])],
            "worker_cpu_ms_a_job": round(statistics.median(cpu for _, cpu in v), 2),
        }
        for name, v in paces.items()
    }
    for name in list(paces)[1:]:
        shares = [a / b for (a, _), (b, _) in zip(paces["srqueue"], paces[name], strict=True)]
        figures[f"srqueue / {name}"] = round(statistics.median(shares), 2)
    write(
        "noop_dispatch",
        f"python -m benchmarks.noop_dispatch --jobs {given.jobs} --rounds {given.rounds}",
        figures,
        now,
    )


def ours(client, jobs: int, number: int) -> tuple[float, float]:
    """The pace of our worker."""
    from srqueue.datasets import Registry
    from srqueue.queue.doorbell import ring
    from srqueue.queue.placing import new_jobs
    from srqueue.store.record import Bell

    made = new_jobs(Registry(client.settings), cells(jobs, seed=number * jobs), 5)
    client.store.create_many(made)
    for job in made:
        ring(client.app, Bell(job.id, job.device_class))
    before = client.store.count(["succeeded"])
    with worker("benchmarks.noop_worker") as process:
        return pace(jobs, lambda: client.store.count(["succeeded"]) - before, process)


def bare(client, jobs: int, name: str) -> tuple[float, float]:
    """The pace of a bare worker."""
    from benchmarks import bare_worker

    app, queue = (bare_worker.plain, "celery") if name == "plain" else (bare_worker.same, "srqueue.any")
    for number in range(jobs):
        app.tasks["nothing"].apply_async([f"job {number}"])
    redis = client.store.connection.redis
    with worker(f"benchmarks.bare_worker:{name}") as process:
        return pace(jobs, lambda: jobs - redis.llen(f"{name}:{queue}"), process)


def pace(jobs: int, done, process: psutil.Process) -> tuple[float, float]:
    """(jobs a second, CPU ms of the worker a job) between the first and the last tenth."""
    first, last = jobs * (1 - SHARE) / 2, jobs * (1 + SHARE) / 2
    begun = None
    until = time.monotonic() + 300
    while time.monotonic() < until:
        number, now = done(), time.perf_counter()
        if begun is None and number >= first:
            begun = number, now, cpu_of(process)
        if begun is not None and number >= last:
            did = number - begun[0]
            return did / (now - begun[1]), 1000 * (cpu_of(process) - begun[2]) / did
        time.sleep(0.02)
    sys.exit(f"only {done()} of {jobs} were done in five minutes")


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of a process and its children so far."""
    times = [p.cpu_times() for p in (process, *process.children(recursive=True))]
    return sum(t.user + t.system for t in times)


@contextlib.contextmanager
def worker(app: str):
    """A Celery worker of one process."""
    argv = [sys.executable, "-m", "celery", "-A", app, "worker", "--pool", "prefork", "--concurrency", "1"]
    argv += ["--without-gossip", "--without-mingle", "-n", "w@here", "-l", "WARNING"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


if __name__ == "__main__":
    main()
