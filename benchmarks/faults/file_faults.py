"""Faults of the disk: checkpoints that are damaged, and no room."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.faults.chaos import Done, Fault, Later, World
from benchmarks.faults.evidence import whole_ones
from benchmarks.faults.fleet import Family, run_folder, send
from benchmarks.faults.process_faults import after_commit_of, run_of, victims
from srqueue.run.reasons import JobState


def flip(file: Path, where: float) -> None:
    with file.open("r+b") as handle:
        place = int(where * max(file.stat().st_size - 1, 0))
        handle.seek(place)
        byte = handle.read(1)[0]
        handle.seek(place)
        handle.write(bytes([byte ^ 0x10]))


def cut(file: Path, where: float) -> None:
    os.truncate(file, int(where * file.stat().st_size))


def empty_file(file: Path, where: float) -> None:
    os.truncate(file, 0)


def checkpoint_damaged(how: Callable[[Path, float], None], kill_first: bool) -> Fault:
    """The newest checkpoint of a job that stands still, or whose trainer is killed for it; never the last."""

    def fault(world: World) -> Done | None:
        running = {job for w in world.workers for t in w.family().trainers if (f := run_folder(t))
                   for job in [f.name]}  # fmt: skip
        jobs: list[tuple[str, Family | None]] = [(job, family) for _, family, job in victims(world)]
        if not kill_first:
            still = (JobState.QUEUED, JobState.PAUSED)
            jobs = [
                (j, None) for j in world.jobs if world.record(j).get("state") in still and j not in running
            ]
            world.rng.shuffle(jobs)
        for job, family in jobs:
            run = run_of(world, job)
            if world.disk_full or len(whole_ones(run)) < 3:
                continue
            committed = after_commit_of(run)
            if family:
                send(family.trainers, signal.SIGKILL)
                psutil.wait_procs(family.trainers, timeout=5)
            newest = run.checkpoints / str(run.checkpoint_names()[-1])
            part = world.rng.choice(["state.safetensors", "state.safetensors", "manifest.json"])
            how(newest / part, world.rng.random())
            return Done(
                f"{part} of {newest.name}, job {job[-6:].lower()}", (), job, committed if family else None
            )
        return None

    return fault


def disk_filled(world: World) -> Done | None:
    """No room in the runs root for some seconds."""
    if world.disk_full or not world.disk.mounted:
        return None
    seconds = world.rng.uniform(3, 10)
    running = [j for j in world.jobs if world.record(j).get("state") in (JobState.RUNNING, JobState.QUEUED)]
    world.disk.fill()
    world.disk_full = True
    world.lines_lost |= set(running)

    def empty() -> None:
        world.disk.empty()
        world.disk_full = False

    return Done(f"for {seconds:.1f} s", [Later(seconds, empty)])
