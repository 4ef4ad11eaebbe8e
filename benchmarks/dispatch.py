"""How long from `submit` to the first training iteration on an idle worker?

A real server, a real Celery worker, a real trainer; the time is taken from the store's records and the
trainer's event lines, so nothing polls in between. With a trainer that stands ready (`warm`), and without
(`cold`).  python -m benchmarks.dispatch [--rounds 7]
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.machine import machine, write

PHASES = ("claimed", "trainer running", "first iteration")
READY = "a trainer stands ready"


def main() -> None:
    """Submits short jobs one after the other and reads when each reached each phase."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    now, figures = machine(), {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"SRQUEUE_HOME": folder, "SRQUEUE_DATASETS": str(Path(folder) / "datasets.yaml")}
        from srqueue.datasets import add_sample
        from srqueue.settings import load_settings
        from srqueue.stack.stack import Stack

        add_sample(load_settings())
        for how in ("cold", "warm"):
            os.environ["SRQUEUE_WARM"] = str(how == "warm")
            stack = Stack(load_settings())
            stack.up(["server", "worker"])
            try:
                steps = [_round(stack, how == "warm", i) for i in range(rounds)]
                figures[how] = {phase: _told([step[phase] for step in steps]) for phase in PHASES}
                if how == "warm":
                    figures["memory_of_an_idle_spare"] = _memory(stack, rounds + 1)
            finally:
                stack.down()
    write("dispatch", f"python -m benchmarks.dispatch --rounds {rounds}", figures, now)


def _round(stack, warm: bool, number: int) -> dict[str, float]:
    """Seconds from `submit` to each phase of one job."""
    from srqueue.datasets import Registry, dataset_ref
    from srqueue.queue.client import Client
    from srqueue.run.folder import RunDir
    from srqueue.spec.expand import expand

    client = Client(stack.settings)
    ref = dataset_ref(Registry(stack.settings), "sample")
    short = {
        "train": {"total_iter": 3, "warmup_iter": 1},
        "logger": {"print_freq": 1},
        "val": {"val_freq": 3},
        "manual_seed": number,
    }
    if warm:
        _wait_for_spare(stack, number + 1)
    start = time.time()
    job = client.submit(expand(ref, preset="quick", overrides=[("benchmark", short)]), again=True).job
    done = client.wait(job.id, timeout=120)
    events = list(RunDir(stack.settings.runs_root / job.id).events())
    first = next(event.t for event in events if event.kind == "train")
    return dict(zip(PHASES, (x - start for x in ((done.started or start), events[0].t, first)), strict=True))


def _wait_for_spare(stack, count: int) -> None:
    """Until the `count`th one of this worker is ready, and the machine has come to rest."""
    limit = time.monotonic() + 120
    while stack.log_file("worker").read_text().count(READY) < count:
        if time.monotonic() > limit:
            raise TimeoutError("no spare trainer is ready")
        time.sleep(0.2)
    time.sleep(1)


def _memory(stack, count: int) -> dict[str, float]:
    """MiB of a spare that waits: all that is mapped, and what would be free without it."""
    _wait_for_spare(stack, count)
    worker = psutil.Process(stack.pid_file("worker").read()["pid"])
    (spare,) = [p for p in worker.children(recursive=True) if "--spare" in p.cmdline()]
    used = spare.memory_full_info()
    return {"resident_mib": round(used.rss / 2**20), "unshared_mib": round(used.uss / 2**20)}


def _told(values: list[float]) -> dict[str, object]:
    return {
        "median_s": round(statistics.median(values), 3),
        "range_s": [round(min(values), 3), round(max(values), 3)],
    }


if __name__ == "__main__":
    main()
