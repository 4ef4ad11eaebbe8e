"""How long from `submit` to the first training iteration on an idle worker?

A real server, a real Celery worker, a real trainer; the time is taken from the store's records and the
trainer's event lines, so nothing polls in between.  python -m benchmarks.dispatch [--rounds 7]
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.machine import machine, write


def main() -> None:
    """Submits short jobs one after the other and reads when each reached each phase."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    now = machine()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"SRQUEUE_HOME": folder, "SRQUEUE_DATASETS": str(Path(folder) / "datasets.yaml")}
        from srqueue.datasets import Registry, add_sample, dataset_ref
        from srqueue.queue.client import Client
        from srqueue.run.folder import RunDir
        from srqueue.settings import load_settings
        from srqueue.spec.expand import expand
        from srqueue.stack.stack import Stack

        settings = load_settings()
        add_sample(settings)
        stack = Stack(settings)
        stack.up(["server", "worker"])
        try:
            client = Client(settings)
            ref = dataset_ref(Registry(settings), "sample")
            short = {
                "train": {"total_iter": 3, "warmup_iter": 1},
                "logger": {"print_freq": 1},
                "val": {"val_freq": 3},
            }
            steps: dict[str, list[float]] = {"claimed": [], "trainer running": [], "first iteration": []}
            for i in range(rounds):
                seeded = [("benchmark", short | {"manual_seed": i})]
                start = time.time()
                job = client.submit(expand(ref, preset="quick", overrides=seeded)).job
                done = client.wait(job.id, timeout=120)
                events = list(RunDir(settings.runs_root / job.id).events())
                steps["claimed"].append((done.started or start) - start)
                steps["trainer running"].append(events[0].t - start)
                steps["first iteration"].append(next(e.t for e in events if e.kind == "train") - start)
        finally:
            stack.down()
    figures = {
        name: {"median_s": round(statistics.median(v), 3), "range_s": [round(min(v), 3), round(max(v), 3)]}
        for name, v in steps.items()
    }
    write("dispatch", f"python -m benchmarks.dispatch --rounds {rounds}", figures, now)


if __name__ == "__main__":
    main()
