"""How long does a page of the list take with 100,000 jobs in the store? Asked of a real Flower.

python -m benchmarks.monitor_scale [--jobs 100000] [--rounds 9] [--home FOLDER]
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.machine import machine, write
from benchmarks.scale import CAMPAIGN, cells, run_many


def main() -> None:
    """Fills a server, starts a Flower, and asks it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--home", help="keep the store here; one that has enough jobs is not filled again")
    given = parser.parse_args()
    now = machine()
    with tempfile.TemporaryDirectory() as temporary:
        home = given.home or temporary
        os.environ |= {"SRQUEUE_HOME": home, "SRQUEUE_DATASETS": str(Path(home) / "datasets.yaml")}
        from srqueue.settings import load_settings
        from srqueue.stack.ports import next_free_port
        from srqueue.stack.stack import Stack
        from srqueue.store.store import Store

        os.environ["SRQUEUE_FLOWER_PORT"] = str(next_free_port("127.0.0.1", 5600))
        settings = load_settings()
        stack = Stack(settings)
        stack.up(["server"])
        try:
            if Store.connect(settings).count() < given.jobs:
                fill(given.jobs)
            stack.up(["flower"])
            figures = asked(settings.flower_port, given.jobs, given.rounds)
        finally:
            stack.down()
    command = f"python -m benchmarks.monitor_scale --jobs {given.jobs} --rounds {given.rounds}"
    write("monitor_scale", command, figures, now)


def fill(jobs: int) -> None:
    """Campaigns of 10,000 jobs, and 200 that run, each on a worker of its own."""
    from srqueue.queue.client import Client

    client = Client()
    run_many(client)
    for first in range(0, jobs, CAMPAIGN):
        number = min(CAMPAIGN, jobs - first)
        client.submit_many(cells(number, seed=first + 1000), campaign=f"night-{first}")


def asked(port: int, jobs: int, rounds: int) -> dict:
    """Seconds of an answer: median and range, and its size."""
    paths = [
        "jobs", f"jobs?page={jobs // 50}", "jobs?state=queued&page=100", "jobs?state=running&size=60",
        "jobs?state=queued,held&order=next&size=20", "jobs?q=cell_54", "jobs?campaign=night-0&page=150",
        "jobs?size=1000", "campaigns", "campaign/night-0",
    ]  # fmt: skip
    wall: dict[str, list[float]] = {path: [] for path in paths}
    sizes: dict[str, int] = {}
    for _ in range(rounds):
        for path in paths:
            start = time.perf_counter()
            body = fetch(port, f"/training/api/{path}")
            wall[path].append(time.perf_counter() - start)
            sizes[path] = len(body)
    total = sum(json.loads(fetch(port, "/training/api/jobs"))["counts"].values())
    return {
        "jobs_in_the_store": total,
        "answers": {
            path: {
                "wall_s_median": round(statistics.median(times), 3),
                "wall_s_range": [round(min(times), 3), round(max(times), 3)], "bytes": sizes[path],
            }
            for path, times in wall.items()
        },
    }  # fmt: skip


def fetch(port: int, path: str) -> bytes:
    """The body of an answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert answer.status == 200, path
    return answer.read()


if __name__ == "__main__":
    main()
