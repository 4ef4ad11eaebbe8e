"""Faults of processes: trainers, supervisors and workers end, or stop for a while."""

import signal
from collections.abc import Callable

import psutil

from benchmarks.faults.chaos import Done, Fault, Later, World
from benchmarks.faults.fleet import Family, Worker, run_folder, send
from srqueue.run.folder import RunDir


def after_commit_of(run: RunDir) -> bool:
    """Whether the newest attempt has committed a checkpoint."""
    attempts = run.attempts()
    return bool(attempts) and any(n.token == attempts[-1].token for n in run.checkpoint_names())


def victims(world: World) -> list[tuple[Worker, Family, str]]:
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


def run_of(world: World, job: str) -> RunDir:
    """The run folder of a job."""
    return RunDir(world.place.settings.runs_root / job)


def told(world: World, worker: Worker, job: str) -> str:
    """Whom a fault hits, in words."""
    return f"{worker.name}, job {job[-6:].lower()} at {world.record(job).get('iteration', '?')}"


def _start_again(world: World, worker: Worker) -> list[Later] | None:
    if not worker.ended:
        return [Later(1.0, lambda: _start_again(world, worker))]
    worker.start()
    return None


def trainer_dies(number: signal.Signals) -> Fault:
    """A signal that ends the trainer."""

    def fault(world: World) -> Done | None:
        for worker, family, job in victims(world):
            committed = after_commit_of(run_of(world, job))
            send(family.trainers, number)
            return Done(told(world, worker, job), job=job, after_commit=committed)
        return None

    return fault


def spare_goes(number: signal.Signals) -> Fault:
    """A signal to the trainer that waits for the next job of a worker."""

    def fault(world: World) -> Done | None:
        workers = [worker for worker in world.workers if not worker.down and not worker.frozen]
        world.rng.shuffle(workers)
        for worker in workers:
            if spares := worker.family().spares:
                send(spares, number)
                return Done(f"of {worker.name}")
        return None

    return fault


def worker_goes(act: Callable[[World, Worker, Family], None], kills: bool) -> Fault:
    """What ends a worker in the midst of a training; it is started again some seconds later."""

    def fault(world: World) -> Done | None:
        for worker, family, job in victims(world):
            committed = after_commit_of(run_of(world, job))
            act(world, worker, family)
            worker.down = True
            back = Later(world.rng.uniform(1, 8), lambda w=worker: _start_again(world, w))
            return Done(told(world, worker, job), [back], job, committed if kills else None)
        return None

    return fault


def kill_main(world: World, worker: Worker, family: Family) -> None:
    """What depends on the main process must end by itself."""
    worker.signal(signal.SIGKILL)


def kill_all(world: World, worker: Worker, family: Family) -> None:
    """As where a machine dies."""
    send(family.all, signal.SIGKILL)


def terminate(world: World, worker: Worker, family: Family) -> None:
    """As a service manager does it."""
    worker.signal(signal.SIGTERM)


def interrupted_twice(world: World) -> Done | None:
    """Ctrl-C, and once more before it has ended."""
    for worker, _, job in victims(world):
        worker.signal(signal.SIGINT)
        worker.down = True

        def again(worker: Worker = worker) -> list[Later]:
            if not worker.ended:
                worker.signal(signal.SIGINT)
            return [Later(world.rng.uniform(2, 6), lambda: _start_again(world, worker))]

        return Done(told(world, worker, job), [Later(world.rng.uniform(0.3, 3), again)], job)
    return None


def frozen(who: Callable[[Family], list[psutil.Process]], beyond_lease: bool) -> Fault:
    """SIGSTOP, and SIGCONT after seconds, or after more than a lease."""

    def fault(world: World) -> Done | None:
        for worker, family, job in victims(world):
            stopped = who(family)
            lease = world.lease
            seconds = world.rng.uniform(1.4, 3) * lease if beyond_lease else world.rng.uniform(1, lease / 2)
            send(stopped, signal.SIGSTOP)
            worker.frozen = True

            def wake(worker: Worker = worker, stopped: list[psutil.Process] = stopped) -> None:
                send(stopped, signal.SIGCONT)
                worker.frozen = False

            return Done(f"{told(world, worker, job)}, for {seconds:.1f} s", [Later(seconds, wake)], job)
        return None

    return fault


def only_supervisor(family: Family) -> list[psutil.Process]:
    """The process between Celery and the trainer."""
    return family.supervisors


def only_trainer(family: Family) -> list[psutil.Process]:
    """The trainer."""
    return family.trainers


def everybody(family: Family) -> list[psutil.Process]:
    """The whole worker."""
    return family.all
