"""The same trainings by hand: a short one that tells the length of a job, and the undisturbed twins."""

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.faults.place import Place, prepared, say
from srqueue.datasets import locate
from srqueue.run.folder import RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.spec.job import JobSpec

AT_ONCE = 2
PROBE_SECONDS = 3.0
"""CPU seconds of training that a job's pace is measured over."""
ENDED_WELL = (StopReason.COMPLETED, StopReason.STOPPED_EARLY)


def cpu_seconds_each(place: Place, specs: dict[str, JobSpec]) -> dict[str, float]:
    """CPU seconds an iteration takes, by recipe; from trainers that are ended once that is known."""
    found: dict[str, float] = {}

    def measure(name: str) -> Iterator[None]:
        run = RunDir(place.home / "probes" / str(len(found))).create()
        shutil.rmtree(run.path)
        prepared(run, specs[name], locate(place.registry, specs[name]))
        process = place.trainer(run, 1)
        first: tuple[int, float] | None = None
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                times = psutil.Process(process.pid).cpu_times()
                now = (max((e.it for e in run.events()), default=0), times.user + times.system)
                if now[0] and first is None:
                    first = now
                if first and now[0] > first[0] and now[1] - first[1] > PROBE_SECONDS:
                    found[name] = (now[1] - first[1]) / (now[0] - first[0])
                    process.kill()
            yield
        process.wait()
        if name not in found:
            raise SystemExit(f"{name} cannot be trained:\n{run.attempt(1).log_file.read_text()[-2000:]}")

    # One at a time: they are short, and what shares the cores must not tell.
    for name in specs:
        for _ in measure(name):
            time.sleep(0.02)
    return found


def train_twins(place: Place, runs: dict[str, RunDir]) -> dict[str, RunDir]:
    """Trains each job's twin, two at a time, from its specs; those that are done stay."""
    todo = dict(runs)
    twins = {job: RunDir(place.home / "twins" / job) for job in runs}
    going: dict[str, subprocess.Popen] = {}
    while todo or going:
        while todo and len(going) < AT_ONCE:
            job, run = todo.popitem()
            if not _ended_well(twins[job]):
                going[job] = _start(place, run, twins[job])
        for job, process in list(going.items()):
            if process.poll() is not None:
                del going[job]
                if not _ended_well(twins[job]):
                    raise SystemExit(f"a twin failed:\n{twins[job].attempt(1).log_file.read_text()[-2000:]}")
                say(f"twin of {job[-6:].lower()} trained; {len(todo) + len(going)} to go")
        time.sleep(0.2)
    return twins


def _start(place: Place, run: RunDir, twin: RunDir) -> subprocess.Popen:
    shutil.rmtree(twin.path, ignore_errors=True)
    twin.create()
    for ours, theirs in ((run.spec_file, twin.spec_file), (run.resolved_file, twin.resolved_file)):
        shutil.copy(ours, theirs)
    spec = JobSpec.model_validate(json.loads(twin.spec_file.read_text()))
    prepared(twin, spec, locate(place.registry, spec))
    return place.trainer(twin, 1)


def _ended_well(run: RunDir) -> bool:
    outcome = Outcome.read(run.attempt(1).outcome_file)
    return outcome is not None and outcome.reason in ENDED_WELL


def read_json(file: Path) -> dict | None:
    """What an earlier, interrupted benchmark left in its folder."""
    return json.loads(file.read_text()) if file.exists() else None
