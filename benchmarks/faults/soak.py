"""Do all jobs end, once, with the bits of their undisturbed twins, whatever dies meanwhile?

Real workers train real jobs while a fault is done to them every 5 to 20 seconds. Then all must end, and each
is compared with a twin of the same resolved spec that was trained by hand.
"""

import argparse
import json
import random
import shutil
import signal
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

import psutil

from benchmarks.faults.chaos import Chaos, World
from benchmarks.faults.disk import SmallDisk
from benchmarks.faults.evidence import differences, history_faults, litter, same_validations
from benchmarks.faults.fleet import Worker, send
from benchmarks.faults.kinds import KINDS
from benchmarks.faults.place import Place, say, until
from benchmarks.faults.specs import RECIPES, spec_of
from benchmarks.faults.twins import cpu_seconds_each, read_json, train_twins
from benchmarks.faults.watching import Watcher
from benchmarks.machine import machine, write
from srqueue.queue.client import Client
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import JobState, StopReason
from srqueue.spec.job import JobSpec

SHARE = 0.55
"""Of the CPU time of the soak that the jobs would need undisturbed; restarts and lost work take the rest."""
CORES = 2
LEASE = 5.0
DISK_MIB = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the soak."""
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gap", type=float, nargs=2, default=(5, 20), help="seconds between two faults")
    parser.add_argument("--folder", type=Path, help="keep everything there, and go on there where cut off")
    parser.add_argument("--patience", type=float, default=1200, help="seconds for the jobs to end afterwards")


def main(args: argparse.Namespace) -> bool:
    """Runs it all; whether every promise was kept."""
    now = machine()
    place = Place(
        args.folder, LEASE=f"{LEASE:g}", RENEW="0.5", SWEEP="1", BACKOFF="0.5",
    )  # fmt: skip
    disk = SmallDisk(place.settings.runs_root, DISK_MIB)
    broken: list[str] = ["it was cut off"]
    try:
        plan = _plan(place, args)
        done = read_json(place.home / "chaos.json")
        if done is None:
            done = _chaos(place, disk, args, plan)
            (place.home / "chaos.json").write_text(json.dumps(done, indent=1))
        rows, broken = _compare(place, plan, done)
        figures = _figures(args, disk, plan, done, rows, broken)
        command = f"soak --minutes {args.minutes:g} --workers {args.workers} --jobs {args.jobs}"
        write("faults_soak", f"python -m benchmarks.faults {command} --seed {args.seed}", figures, now)
    finally:
        keep = bool(broken) or args.folder is not None
        if not keep:
            disk.close()
        place.close(keep)
    for text in broken:
        print(f"BROKEN: {text}", file=sys.stderr)
    return not broken


def _plan(place: Place, args: argparse.Namespace) -> dict[str, JobSpec]:
    """The jobs' specs by recipe, of lengths that they can end in; as an earlier start chose them."""
    file = place.home / "plan.json"
    kept = read_json(file)
    if kept is None:
        names = list(RECIPES)[: args.jobs]
        seconds = args.minutes * 60 * CORES * SHARE / len(names)
        say(f"measuring the pace of {len(names)} jobs, each to take {seconds:.0f} CPU s")
        each = cpu_seconds_each(place, {n: _probe(spec_of(place.registry, n, 20_000)) for n in names})
        totals = {n: max(80, round(seconds / each[n] / 8) * 8) for n in names}
        kept = {n: spec_of(place.registry, n, totals[n], args.seed + i).model_dump(mode="json")
                for i, n in enumerate(names)}  # fmt: skip
        file.write_text(json.dumps(kept))
    return {name: JobSpec.model_validate(raw) for name, raw in kept.items()}


def _probe(spec: JobSpec) -> JobSpec:
    """The spec with many reports, from which its pace is soon known."""
    return spec.model_copy(update={"logger": spec.logger.model_copy(update={"print_freq": 10})})


def _chaos(place: Place, disk: SmallDisk, args: argparse.Namespace, plan: dict[str, JobSpec]) -> dict:
    """The soak itself, from its beginning; what happened, as JSON values."""
    for left in (place.server.folder, *place.settings.runs_root.iterdir()):
        shutil.rmtree(left, ignore_errors=True)
    disk.empty()
    place.server.start()
    client = Client(place.settings)
    workers = [Worker(place, f"w{i + 1}") for i in range(args.workers)]
    jobs = {name: client.submit(spec, again=True).job.id for name, spec in plan.items()}
    watcher = Watcher(place, list(jobs.values()))
    watcher.start()
    for worker in workers:
        worker.start()
    until(lambda: all(w.ready for w in workers), "the workers start", 120)
    rng = random.Random(args.seed)
    world = World(place, workers, list(jobs.values()), watcher, client, disk, LEASE, rng)
    chaos = Chaos(world, KINDS, *args.gap)
    begun, told = time.monotonic(), [0.0]

    def over() -> bool:
        if time.monotonic() - told[0] > 30:
            told[0] = time.monotonic()
            say(f"         {_standing(world)}")
        return all(JobState(world.record(j).get("state", "queued")).final for j in world.jobs)

    chaos.run(args.minutes * 60, over)
    lasted = time.monotonic() - begun
    say(f"chaos ended after {lasted:.0f} s with {len(chaos.happened)} faults; the jobs are to end now")
    for worker in workers:
        if worker.ended:
            worker.start()
    try:
        waited = until(over, "all jobs end", args.patience, 0.5)
    except TimeoutError as error:
        watcher.broken.append(f"{error}: {_standing(world)}")
        waited = args.patience
    left = _stop(place, workers)
    watcher.stop()
    with place.server.client() as redis:
        leases = redis.zrange(f"{place.settings.prefix}:leases", 0, -1)
    place.server.signal(signal.SIGTERM)
    return {
        "jobs": jobs, "records": {j: client_record(watcher, j) for j in jobs.values()},
        "owners": watcher.owners, "reasons": watcher.reasons, "samples": watcher.samples,
        "broken": watcher.broken, "happened": chaos.happened, "counts": chaos.counts(),
        "seconds": round(lasted), "waited": round(waited), "left": left, "leases": leases,
        "lines_lost": sorted(world.lines_lost),
    }  # fmt: skip


def client_record(watcher: Watcher, job: str) -> dict[str, str]:
    """The last record seen, without the spec."""
    skipped = ("spec", "origins")
    return {k: v for k, v in watcher.newest.get(job, {}).items() if k not in skipped}


def _standing(world: World) -> str:
    states = Counter(world.record(j).get("state", "?") for j in world.jobs)
    reached = sum(int(world.record(j).get("iteration") or 0) for j in world.jobs)
    total = sum(int(world.record(j).get("total_iter") or 0) for j in world.jobs)
    done = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"{done}; {reached / max(total, 1):.0%} of all iterations"


def _stop(place: Place, workers: list[Worker]) -> list[str]:
    """Shuts the workers down as a service manager does; what of theirs still lives after a while."""
    names = [w.name for w in workers]
    for worker in workers:
        if not worker.ended:
            worker.signal(signal.SIGTERM)
    limit = time.monotonic() + 30

    def living() -> list[psutil.Process]:
        return [p for name in names for p in place.marked(name)]

    while (left := living()) and time.monotonic() < limit:
        time.sleep(0.5)
    found = [" ".join(p.cmdline()) for p in left]
    send(left, signal.SIGKILL)
    for worker in workers:
        worker.close()
    return found


def _compare(place: Place, plan: dict[str, JobSpec], done: dict) -> tuple[list[dict], list[str]]:
    """A row for each job, and what was broken."""
    broken = [*done["broken"], *(f"a process is left: {p}" for p in done["left"])]
    broken += [f"job {j} still has a lease" for j in done["leases"]]
    runs = {j: RunDir(place.settings.runs_root / j) for j in done["jobs"].values()}
    able = {j: run for j, run in runs.items() if done["records"][j].get("state") == JobState.SUCCEEDED}
    twins = train_twins(place, able)
    rows = []
    for name, job in done["jobs"].items():
        run, spec, record = runs[job], plan[name], done["records"][job]
        row = _row(name, spec, record, run, done)
        faults = litter(run)
        if job in able:
            compared, found = differences(run, twins[job])
            history = history_faults(
                run, spec.logger.print_freq, spec.train.total_iter, job in done["lines_lost"]
            )
            if not same_validations(run, twins[job]) and job not in done["lines_lost"]:
                history.append("the history of validations differs from the twin's")
            row |= {"tensors_compared": compared, "identical": not found, "history_whole": not history}
            faults += [f"differs from its twin in {text}" for text in found[:5]] + history
        else:
            faults.append(f"ended as {record.get('state')}, {record.get('reason')}: {record.get('message')}")
            row |= {"identical": False}
        rows.append(row)
        broken += [f"job {job} ({name}): {text}" for text in faults]
    return rows, broken


def _row(name: str, spec: JobSpec, record: dict[str, str], run: RunDir, done: dict) -> dict:
    owners = {int(token): owner for token, owner in done["owners"].get(record["id"], {}).items()}
    ends = [(a.token, Outcome.read(a.outcome_file)) for a in run.attempts()]
    ended = Counter(str(outcome.reason) if outcome else "died" for _, outcome in ends)
    # Taken from a silent owner: nobody handed it over, and another process goes on.
    silent = [token for token, outcome in ends if outcome is None or outcome.reason is StopReason.LEASE_LOST]
    tokens = [token for token, _ in ends]
    takeovers = [
        (owners.get(one), owners.get(two))
        for one, two in pairwise(tokens)
        if one in silent and owners.get(one) != owners.get(two)
    ]
    return {
        "job": name,
        "iterations": spec.train.total_iter,
        "state": record.get("state"),
        "reason": record.get("reason"),
        "attempts": len(run.attempts()),
        "attempts_ended": dict(sorted(ended.items())),
        "takeovers": len(takeovers),
        "faults_that_hit_it": sum(h["job"] == record["id"] for h in done["happened"]),
        "checkpoints_set_aside": len(list(run.checkpoints.glob("bad-*"))),
    }


def _figures(
    args: argparse.Namespace, disk: SmallDisk, plan: dict, done: dict, rows: list[dict], broken: list[str]
) -> dict:
    kills = [h for h in done["happened"] if h["after_commit"] is not None]
    succeeded = sum(row["state"] == JobState.SUCCEEDED for row in rows)
    return {
        "minutes": args.minutes, "workers": args.workers, "jobs": len(rows), "seed": args.seed,
        "lease_seconds": LEASE, "seconds_between_faults": list(args.gap),
        "faults": len(done["happened"]), "faults_by_kind": done["counts"],
        "disk_could_be_filled": disk.mounted,
        "chaos_seconds": done["seconds"], "seconds_until_the_last_job_ended": done["waited"],
        "completed_share": succeeded / len(rows),
        "identical_to_undisturbed_twin": f"{sum(row['identical'] for row in rows)} of {len(rows)}",
        "attempts": sum(row["attempts"] for row in rows),
        "takeovers": sum(row["takeovers"] for row in rows),
        "kills": len(kills), "kills_after_a_commit_of_that_attempt": sum(h["after_commit"] for h in kills),
        "samples_of_redis": done["samples"], "broken": broken, "by_job": rows,
    }  # fmt: skip
