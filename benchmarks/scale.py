"""What does the queue cost with 100,000 jobs: to submit, hold, list, show and sweep them?

A real server, the real client and the real command line, no worker. The cells of a campaign are one preset
with other seeds; their specs are given, for what a preset costs to expand is not the queue's.

python -m benchmarks.scale [--jobs 100000] [--rounds 9]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import machine, timed, write

CAMPAIGN = 10_000
RUNNING = 200
HOURS_30 = 1_080_000  # iterations at 10 a second


def main() -> None:
    """Fills a server step by step and measures on the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    now = machine()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"SRQUEUE_HOME": home, "SRQUEUE_DATASETS": str(Path(home) / "datasets.yaml")}
        from srqueue.settings import load_settings
        from srqueue.stack.stack import Stack

        stack = Stack(load_settings())
        stack.up(["server"])
        try:
            figures = measured(given.jobs, given.rounds)
        finally:
            stack.down()
    command = f"python -m benchmarks.scale --jobs {given.jobs} --rounds {given.rounds}"
    write("scale", command, figures, now)


def measured(jobs: int, rounds: int) -> dict:
    """All figures."""
    from srqueue.queue.client import Client

    client = Client()
    redis = client.store.connection.redis
    client.submit_many(cells(3), campaign="warm")
    steps = sorted({min(1000, jobs), min(CAMPAIGN, jobs), jobs})
    figures: dict = {"sweep": {}}
    run_many(client)
    held = 0
    for number in steps:
        while held < number:
            part = min(CAMPAIGN, number - held)
            specs = cells(part, seed=held + 1000)
            before, start, cpu = used(redis), time.perf_counter(), time.process_time()
            client.submit_many(specs, campaign=f"night-{held}")
            took, own = time.perf_counter() - start, time.process_time() - cpu
            if part == CAMPAIGN or "submit" not in figures:
                figures["submit"] = {
                    "jobs": part, "seconds": round(took, 2), "cpu_s_of_the_client": round(own, 2),
                    "jobs_a_second": round(part / took), "bytes_a_job": round((used(redis) - before) / part),
                }  # fmt: skip
                start = time.perf_counter()
                client.submit_many(specs, campaign=f"night-{held}")
                figures["submit"]["seconds_once_more"] = round(time.perf_counter() - start, 2)
            held += part
        figures["sweep"][f"{number} queued, {RUNNING} running"] = sweeps(client, rounds)
    figures["jobs_in_the_store"] = client.store.count()
    figures["events"] = events(client)
    figures["command line"] = commands(client, rounds)
    return figures


def cells(number: int, seed: int = 0) -> list:
    """Specs of a campaign, each with its own seed."""
    from srqueue.spec.expand import DatasetRef, Expanded, expand
    from srqueue.spec.job import JobSpec

    base = expand(DatasetRef("pictures", "5" * 64), preset="fidelity")
    whole, origins = base.spec.model_dump(mode="json"), {**base.origins, "manual_seed": "campaign"}
    return [
        Expanded(JobSpec.model_validate({**whole, "manual_seed": s, "name": f"cell_{s}"}), origins)
        for s in range(seed, seed + number)
    ]


def used(redis) -> int:
    """Bytes that the server holds."""
    return redis.info("memory")["used_memory"]


def run_many(client) -> None:
    """Jobs that run, each on a worker of its own."""
    from srqueue.store.record import WorkerRecord

    client.submit_many(cells(RUNNING, seed=100), campaign="running")
    for number in range(RUNNING):
        worker = WorkerRecord(
            name=f"w{number}", host=f"h{number}", pid=1, classes=("cuda", "any"), device="", version="",
            since=1.0, root_id=f"r{number % 8}",
        )  # fmt: skip
        client.store.announce_worker(worker, 36_000)
        client.store.claim(f"w{number}:1", f"h{number}", ["any"], 36_000, {f"r{number % 8}": "/runs"})


def sweeps(client, rounds: int) -> dict:
    """A sweep with nothing due, one with more due than it takes, and the question who gives way."""
    from srqueue.store.preemption import preempt

    store = client.store
    bells = f"{store.keys.root}bells"
    acts = {
        "nothing due": store.sweep,
        "much due": store.sweep,
        "who gives way": lambda: preempt(store.connection, client.settings),
    }
    found: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(rounds):
        for name, act in acts.items():
            due = time.time() + (-5 if name == "much due" else 25)
            ids = store.connection.redis.zrange(bells, 0, 999)
            store.connection.redis.zadd(bells, dict.fromkeys(ids, due))
            while name == "nothing due" and store.sweep():
                pass
            start = time.perf_counter()
            act()
            found[name].append(time.perf_counter() - start)
    return {name: {"median_ms": round(1000 * statistics.median(times), 2)} for name, times in found.items()}


def events(client) -> dict:
    """The stream of a job of 30 hours that reports every 100 iterations and saves every minute."""
    from srqueue.run.events import Event
    from srqueue.store.store import EVENTS_KEPT

    store = client.store
    job = store.list(["running"], 1)[0]
    lines: list[Event] = []
    for it in range(100, HOURS_30 + 1, 100):
        lines.append(
            Event(len(lines), 1e9, job.token, it, "train", {"loss": 0.0212, "lr": 1e-4, "it_s": 10.0})
        )
        if it % 600 == 0:
            lines.append(Event(len(lines), 1e9, job.token, it, "checkpoint", {"seq": it // 600, "bytes": 3}))
        if it % 5000 == 0:
            lines.append(Event(len(lines), 1e9, job.token, it, "val", {"val/psnr": 31.2, "val/ssim": 0.91}))
    start = time.perf_counter()
    for i in range(0, len(lines), 200):
        store.append_events(job.id, job.token, [e.line() for e in lines[i : i + 200]])
    took = time.perf_counter() - start
    redis, key = store.connection.redis, store.keys.events(job.id)
    return {
        "lines_told": len(lines), "lines_held": redis.xlen(key), "lines_held_at_most": EVENTS_KEPT * 3 // 2,
        "bytes_held": redis.memory_usage(key, samples=0), "ms_a_call_of_200_lines": round(
            1000 * took / (len(lines) / 200), 2
        ),
    }  # fmt: skip


def commands(client, rounds: int) -> dict:
    """Wall and CPU seconds of whole commands, imports included, in turn."""
    job = client.store.list(["queued"], 1)[0]
    last = client.store.count() // 50
    srqueue = [sys.executable, "-m", "srqueue.cli"]
    argv = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "srqueue --help": [*srqueue, "--help"],
        "srqueue ls": [*srqueue, "ls"],
        f"srqueue ls --page {last}": [*srqueue, "ls", "--page", str(last)],
        "srqueue ls --campaign C --state queued": [
            *srqueue,
            "ls",
            "--campaign",
            job.campaigns[0],
            "-s",
            "queued",
        ],
        "srqueue show JOB": [*srqueue, "show", job.id[-6:]],
        "srqueue explain JOB": [*srqueue, "explain", job.id[-6:]],
    }
    wall: dict[str, list[float]] = {name: [] for name in [*argv, "srqueue watch JOB, its first line"]}
    cpu: dict[str, list[float]] = {name: [] for name in argv}
    for _ in range(rounds):
        for name, command in argv.items():
            c, w, _ = timed(command)
            cpu[name].append(c)
            wall[name].append(w)
        wall["srqueue watch JOB, its first line"].append(first_line([*srqueue, "watch", job.id[-6:]]))
    return {
        name: {
            "wall_s_median": round(statistics.median(wall[name]), 3),
            "wall_s_range": [round(min(wall[name]), 3), round(max(wall[name]), 3)],
            **({"cpu_s_median": round(statistics.median(cpu[name]), 3)} if name in cpu else {}),
        }
        for name in wall
    }


def first_line(command: list[str]) -> float:
    """Seconds until a command that does not end has said something."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        process.stdout.readline()
        took = time.perf_counter() - start
        process.kill()
    return took


if __name__ == "__main__":
    main()
