"""What do several jobs at a time on one device bring, and how much does each slow the others?

The same jobs by a worker of one slot, one after the other, and by one of several slots, together; in
alternating rounds, as ratios.  python -m benchmarks.slots [--device cuda --slots 3 --iterations 5000]
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.machine import machine, write

READY = "a trainer stands ready"


def main() -> None:
    """Alternates the two workers, and reads the event lines of their jobs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=600)
    parser.add_argument("--arch", default="compact")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    now, rounds = machine(), []
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "SRQUEUE_HOME": folder,
            "SRQUEUE_DATASETS": str(Path(folder) / "datasets.yaml"),
            "SRQUEUE_DEVICE": args.device,
        }
        from srqueue.datasets import add_sample
        from srqueue.settings import load_settings
        from srqueue.stack.stack import Stack

        add_sample(load_settings())
        Stack(load_settings()).up(["server"])
        try:
            for number in range(args.rounds):
                rounds.append({slots: _jobs(slots, args, number) for slots in (1, args.slots)})
        finally:
            Stack(load_settings()).down()
    words = f"--device {args.device} --slots {args.slots} --iterations {args.iterations} --arch {args.arch}"
    command = f"python -m benchmarks.slots {words} --rounds {args.rounds}"
    name = "slots" if args.device == "cpu" else "slots_gpu"
    write(name, command, _figures(args, rounds), now)


def _jobs(slots: int, args: argparse.Namespace, number: int) -> dict[str, float]:
    """Trains as many jobs as there are slots to compare, with a worker of `slots`.

    `seconds`: from the first claim to the last end; `pace`: iterations a second of a job, in the mean.
    """
    from srqueue.datasets import Registry, dataset_ref
    from srqueue.queue.client import Client
    from srqueue.run.folder import RunDir
    from srqueue.settings import load_settings
    from srqueue.spec.expand import expand
    from srqueue.stack.stack import Stack

    os.environ["SRQUEUE_SLOTS"] = str(slots)
    settings = load_settings()
    stack, client = Stack(settings), Client(settings)
    before = stack.log_file("worker").read_text().count(READY) if stack.log_file("worker").exists() else 0
    stack.up(["worker"])
    try:
        limit = time.monotonic() + 120
        while stack.log_file("worker").read_text().count(READY) < before + slots:
            if time.monotonic() > limit:
                raise TimeoutError("no spare trainer is ready")
            time.sleep(0.2)
        ref, jobs = dataset_ref(Registry(settings), "sample"), []
        for seed in range(args.slots):
            length = {"train": {"total_iter": args.iterations}, "logger": {"print_freq": 50}}
            changed = {**length, "val": {"val_freq": args.iterations}, "manual_seed": 100 * number + seed}
            expanded = expand(ref, preset="quick", architecture=args.arch, overrides=[("benchmark", changed)])
            jobs.append(client.submit(expanded, again=True).job)
        done = [client.wait(job.id, timeout=3600) for job in jobs]
    finally:
        stack.down(["worker"])
    paces = []
    for job in done:
        told = [e for e in RunDir(settings.runs_root / job.id).events() if e.kind == "train"]
        paces.append((told[-1].it - told[0].it) / (told[-1].t - told[0].t))
    begun, ended = min(job.started or 0.0 for job in done), max(job.finished or 0.0 for job in done)
    return {"seconds": ended - begun, "pace": statistics.mean(paces)}


def _figures(args: argparse.Namespace, rounds: list[dict[int, dict[str, float]]]) -> dict:
    one, many = [r[1] for r in rounds], [r[args.slots] for r in rounds]
    faster = [a["seconds"] / b["seconds"] for a, b in zip(one, many, strict=True)]
    kept = [b["pace"] / a["pace"] for a, b in zip(one, many, strict=True)]
    return {
        "jobs": args.slots,
        "one_after_the_other_s": round(statistics.median(r["seconds"] for r in one), 1),
        "by_slots_s": round(statistics.median(r["seconds"] for r in many), 1),
        "times_as_many_jobs_an_hour": _told(faster),
        "pace_of_a_job_beside_the_others_to_alone": _told(kept),
        "its_share_of_the_device": round(1 / args.slots, 3),
        "it_s_alone": round(statistics.median(r["pace"] for r in one), 1),
    }


def _told(values: list[float]) -> dict[str, object]:
    return {
        "median": round(statistics.median(values), 2),
        "range": [round(min(values), 2), round(max(values), 2)],
    }


if __name__ == "__main__":
    main()
