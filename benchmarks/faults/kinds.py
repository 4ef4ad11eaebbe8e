"""The faults, one function each."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import redis

from benchmarks.faults.chaos import Done, Fault, Later, World
from benchmarks.faults.evidence import whole_ones
from benchmarks.faults.fleet import Family, Worker, run_folder, send
from srqueue.queue.doorbell import bell_of, ring
from srqueue.run.folder import RunDir
from srqueue.run.reasons import JobState
from srqueue.store.keys import broker_prefix


def _after_commit(run: RunDir) -> bool:
    """Whether the newest attempt has committed a checkpoint."""
    attempts = run.attempts()
    return bool(attempts) and any(n.token == attempts[-1].token for n in run.checkpoint_names())


def _victims(world: World) -> list[tuple[Worker, Family, str]]:
    """Workers in a training whose job may fail once more, in random order, with the job."""
    found = []
    for worker in world.workers:
        family = None if worker.down or worker.frozen else worker.family()
        for trainer in family.trainers if family else []:
            folder = run_folder(trainer)
            if family and folder and folder.name in world.jobs and not world.spared(folder.name):
                found.append((worker, family, folder.name))
    world.rng.shuffle(found)
    return found


def _run(world: World, job: str) -> RunDir:
    return RunDir(world.place.settings.runs_root / job)


def _told(world: World, worker: Worker, job: str) -> str:
    return f"{worker.name}, job {job[-6:].lower()} at {world.record(job).get('iteration', '?')}"


def _start_again(world: World, worker: Worker) -> list[Later] | None:
    if not worker.ended:
        return [Later(1.0, lambda: _start_again(world, worker))]
    worker.start()
    return None


def trainer_dies(number: signal.Signals) -> Fault:
    """A signal that ends the trainer."""

    def fault(world: World) -> Done | None:
        for worker, family, job in _victims(world):
            committed = _after_commit(_run(world, job))
            send(family.trainers, number)
            return Done(_told(world, worker, job), job=job, after_commit=committed)
        return None

    return fault


def _worker_goes(act: Callable[[World, Worker, Family], None], kills: bool) -> Fault:
    def fault(world: World) -> Done | None:
        for worker, family, job in _victims(world):
            committed = _after_commit(_run(world, job))
            act(world, worker, family)
            worker.down = True
            back = Later(world.rng.uniform(1, 8), lambda w=worker: _start_again(world, w))
            return Done(_told(world, worker, job), [back], job, committed if kills else None)
        return None

    return fault


def _kill_main(world: World, worker: Worker, family: Family) -> None:
    worker.signal(signal.SIGKILL)


def _kill_all(world: World, worker: Worker, family: Family) -> None:
    send(family.all, signal.SIGKILL)


def _terminate(world: World, worker: Worker, family: Family) -> None:
    worker.signal(signal.SIGTERM)


def interrupted_twice(world: World) -> Done | None:
    """Ctrl-C, and once more before it has ended."""
    for worker, _, job in _victims(world):
        worker.signal(signal.SIGINT)
        worker.down = True

        def again(worker: Worker = worker) -> list[Later]:
            if not worker.ended:
                worker.signal(signal.SIGINT)
            return [Later(world.rng.uniform(2, 6), lambda: _start_again(world, worker))]

        return Done(_told(world, worker, job), [Later(world.rng.uniform(0.3, 3), again)], job)
    return None


def frozen(who: Callable[[Family], list[psutil.Process]], beyond_lease: bool) -> Fault:
    """SIGSTOP, and SIGCONT after seconds, or after more than a lease."""

    def fault(world: World) -> Done | None:
        for worker, family, job in _victims(world):
            stopped = who(family)
            lease = world.lease
            seconds = world.rng.uniform(1.4, 3) * lease if beyond_lease else world.rng.uniform(1, lease / 2)
            send(stopped, signal.SIGSTOP)
            worker.frozen = True

            def wake(worker: Worker = worker, stopped: list[psutil.Process] = stopped) -> None:
                send(stopped, signal.SIGCONT)
                worker.frozen = False

            return Done(f"{_told(world, worker, job)}, for {seconds:.1f} s", [Later(seconds, wake)], job)
        return None

    return fault


def connections_reset(world: World) -> Done | None:
    """CLIENT KILL of every connection but this one."""
    if world.server_down:
        return None
    try:
        with world.place.server.client() as client:
            ended = client.client_kill_filter(_type="normal", skipme=True)
            ended += client.client_kill_filter(_type="pubsub", skipme=True)
    except redis.RedisError:
        return None
    return Done(f"{ended} connections")


def server_killed(world: World) -> Done | None:
    """SIGKILL; restarted on its append-only file."""
    if world.server_down:
        return None
    seconds = world.rng.uniform(1, 20)
    world.place.server.signal(signal.SIGKILL)
    world.server_down = True

    def start() -> None:
        world.place.server.start()
        world.server_down = False

    return Done(f"for {seconds:.1f} s", [Later(seconds, start)])


def server_frozen(world: World) -> Done | None:
    """SIGSTOP and SIGCONT."""
    if world.server_down:
        return None
    seconds = world.rng.uniform(1, 15)
    world.place.server.signal(signal.SIGSTOP)
    world.server_down = True

    def wake() -> None:
        world.place.server.signal(signal.SIGCONT)
        world.server_down = False

    return Done(f"for {seconds:.1f} s", [Later(seconds, wake)])


def half_open(world: World) -> Done | None:
    """One worker's network drops everything; then it arrives late, or the connections are reset."""
    free = [(w.proxy, _told(world, w, j), j) for w, _, j in _victims(world) if w.proxy]
    if not free:
        return None
    proxy, told, job = free[0]
    seconds, reset = world.rng.uniform(1, 3 * world.lease), world.rng.random() < 0.5
    proxy.cut()
    how = "then reset" if reset else "then late"
    return Done(f"{told}, for {seconds:.1f} s, {how}", [Later(seconds, lambda: proxy.mend(reset))], job)


def bells_lost(world: World) -> Done | None:
    """Every doorbell that no worker has heard yet is deleted."""
    if world.server_down:
        return None
    try:
        with world.place.server.client() as client:
            pattern = f"{broker_prefix(world.place.settings.prefix)}srqueue.*"
            keys = [k for k in client.scan_iter(match=pattern) if client.type(k) == "list"]
            lost = sum(client.llen(key) for key in keys)
            if not lost:
                return None
            client.delete(*keys)
    except redis.RedisError:
        return None
    return Done(f"{lost} doorbells")


def bells_doubled(world: World) -> Done | None:
    """The doorbell of one job, twenty times."""
    if world.server_down:
        return None
    job = world.client.get(world.rng.choice(world.jobs))
    if job.state.final:
        return None
    rung = sum(ring(world.client.app, bell_of(job)) for _ in range(20))
    return Done(f"job {job.short_id}, which is {job.state}: rung {rung} times", job=job.id)


def _flip(file: Path, where: float) -> None:
    with file.open("r+b") as handle:
        place = int(where * max(file.stat().st_size - 1, 0))
        handle.seek(place)
        byte = handle.read(1)[0]
        handle.seek(place)
        handle.write(bytes([byte ^ 0x10]))


def _cut(file: Path, where: float) -> None:
    os.truncate(file, int(where * file.stat().st_size))


def _empty(file: Path, where: float) -> None:
    os.truncate(file, 0)


def checkpoint_damaged(how: Callable[[Path, float], None], kill_first: bool) -> Fault:
    """The newest checkpoint of a job that stands still, or whose trainer is killed for it; never the last."""

    def fault(world: World) -> Done | None:
        running = {job for w in world.workers for t in w.family().trainers if (f := run_folder(t))
                   for job in [f.name]}  # fmt: skip
        jobs: list[tuple[str, Family | None]] = [(job, family) for _, family, job in _victims(world)]
        if not kill_first:
            still = (JobState.QUEUED, JobState.PAUSED)
            jobs = [
                (j, None) for j in world.jobs if world.record(j).get("state") in still and j not in running
            ]
            world.rng.shuffle(jobs)
        for job, family in jobs:
            run = _run(world, job)
            if world.disk_full or len(whole_ones(run)) < 3:
                continue
            committed = _after_commit(run)
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


def paused(world: World) -> Done | None:
    """Pause, and resume after some seconds."""
    if world.server_down:
        return None
    able = [j for j in world.jobs if world.record(j).get("state") in (JobState.RUNNING, JobState.QUEUED)]
    if not able:
        return None
    job = world.rng.choice(able)
    world.client.pause(job)

    def resume() -> list[Later] | None:
        if world.server_down:
            return [Later(1.0, resume)]
        now = world.client.get(job)
        if now.state is JobState.PAUSED or (now.state is JobState.RUNNING and now.wish == "pause"):
            world.client.resume(job)
            return [Later(2.0, resume)]  # it may have been paused by the wish that was just read
        return None

    return Done(f"job {job[-6:].lower()}", [Later(world.rng.uniform(1, 10), resume)], job)


def priority_raised(world: World) -> Done | None:
    """A waiting job becomes the most urgent, and later one like the others again."""
    if world.server_down:
        return None
    waiting = [j for j in world.jobs if world.record(j).get("state") == JobState.QUEUED]
    if not waiting:
        return None
    job = world.rng.choice(waiting)
    world.client.set_priority(job, 9)

    def lower() -> list[Later] | None:
        if world.server_down:
            return [Later(1.0, lower)]
        world.client.set_priority(job, 5)
        return None

    return Done(f"job {job[-6:].lower()}", [Later(world.rng.uniform(10, 20), lower)], job)


def _supervisor(family: Family) -> list[psutil.Process]:
    return family.supervisors


def _trainer(family: Family) -> list[psutil.Process]:
    return family.trainers


def _all(family: Family) -> list[psutil.Process]:
    return family.all


KINDS: dict[str, tuple[Fault, int]] = {
    "trainer SIGKILL": (trainer_dies(signal.SIGKILL), 2),
    "trainer SIGSEGV": (trainer_dies(signal.SIGSEGV), 1),
    "worker's main process SIGKILL": (_worker_goes(_kill_main, True), 2),
    "all of a worker's processes SIGKILL": (_worker_goes(_kill_all, True), 2),
    "worker SIGTERM": (_worker_goes(_terminate, False), 2),
    "worker SIGINT twice": (interrupted_twice, 1),
    "supervisor stopped for seconds": (frozen(_supervisor, False), 1),
    "trainer stopped for seconds": (frozen(_trainer, False), 1),
    "worker and trainer stopped for seconds": (frozen(_all, False), 1),
    "supervisor stopped beyond its lease": (frozen(_supervisor, True), 1),
    "trainer stopped beyond the lease": (frozen(_trainer, True), 1),
    "worker and trainer stopped beyond the lease": (frozen(_all, True), 2),
    "connections reset": (connections_reset, 1),
    "Redis SIGKILL and restart": (server_killed, 1),
    "Redis frozen": (server_frozen, 1),
    "half-open network of one worker": (half_open, 2),
    "doorbells lost": (bells_lost, 1),
    "doorbells twenty times": (bells_doubled, 1),
    "newest checkpoint flipped, job waiting": (checkpoint_damaged(_flip, False), 1),
    "newest checkpoint cut, trainer killed": (checkpoint_damaged(_cut, True), 1),
    "newest checkpoint emptied, trainer killed": (checkpoint_damaged(_empty, True), 1),
    "disk full": (disk_filled, 1),
    "pause and resume": (paused, 2),
    "priority raised": (priority_raised, 1),
}
"""Each with how often it is in the deck."""
