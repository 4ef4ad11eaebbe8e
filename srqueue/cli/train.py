"""`srqueue train`: train without the queue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from srqueue.errors import SrqueueError
    from srqueue.run.folder import AttemptDir, RunDir
    from srqueue.run.outcome import Outcome
    from srqueue.settings import Settings
    from srqueue.spec.job import JobSpec


def train(
    spec: Annotated[
        Path, typer.Argument(metavar="SPEC.yaml", help="A complete spec, as --dry-run prints it.")
    ],
    run_dir: Annotated[
        Path | None,
        typer.Option("--run-dir", metavar="DIR", help="Run folder; one that is there is gone on with."),
    ] = None,
) -> None:
    """Train without Redis and without a queue, in the foreground.

    Ctrl-C saves a checkpoint; the same call with the same --run-dir goes on from it.
    """
    from srqueue.datasets import Registry, check_scales, check_validation, locate
    from srqueue.datasets.holding import hold_data
    from srqueue.queue.places import check_start, made_absolute
    from srqueue.queue.stops import Settling
    from srqueue.settings import load_settings
    from srqueue.spec.expand import Expanded
    from srqueue.spec.reading import read_mapping
    from srqueue.spec.validate import validate
    from srqueue.stack.commands import require

    require("torch", "worker")
    settings = load_settings()
    job = made_absolute(Expanded(validate(read_mapping(spec), str(spec)), {})).spec
    job = job.model_copy(update={"stop": Settling(settings, None).of(job)})
    registry = Registry(settings)
    listings = locate(registry, job)
    check_scales(registry, job)
    check_validation(registry, job)
    run = _run_folder(settings, job, run_dir)
    if not run.checkpoint_names():  # else it goes on from its own
        check_start(job, only_here=True)
    attempt = _prepare(settings, run, job, listings)
    with hold_data(settings, attempt.read()):
        code = _run(settings, run, attempt, job)
    raise typer.Exit(code)


def _run_folder(settings: Settings, spec: JobSpec, wanted: Path | None) -> RunDir:
    """The run folder. Raises UsageError where it holds another training."""
    import json

    from ulid import ULID

    from srqueue.errors import UsageError
    from srqueue.queue.places import made_absolute
    from srqueue.run.folder import RunDir
    from srqueue.spec.expand import Expanded
    from srqueue.spec.job import spec_id
    from srqueue.spec.validate import validate

    run = RunDir((wanted or settings.runs_root / str(ULID())).absolute())
    if run.spec_file.exists():
        try:
            before = validate(json.loads(run.spec_file.read_text()), str(run.spec_file))
        except ValueError:
            raise UsageError("the spec in the run folder is not whole", where=str(run.spec_file)) from None
        before = made_absolute(Expanded(before, {})).spec  # early versions kept relative paths
        if spec_id(before) != spec_id(spec):
            raise UsageError(
                "the run folder holds the training of another spec",
                where=str(run.path),
                hint="choose another --run-dir",
            )
    elif run.path.is_dir() and any(run.path.iterdir()):
        raise UsageError("the folder is not empty and no run folder", where=str(run.path))
    return run


def _prepare(
    settings: Settings, run: RunDir, spec: JobSpec, listings: Mapping[str, str | None]
) -> AttemptDir:
    """Writes spec and attempt, as the supervisor does."""
    import os
    import socket

    from srqueue.errors import CheckpointError, SrqueueError
    from srqueue.gpus import find_gpu, other_gpus
    from srqueue.run.atomic import write_file

    gpu = None if spec.compute.device == "cpu" else find_gpu(settings.device)
    more = [] if gpu is None else other_gpus(settings.device)[: spec.compute.devices - 1]
    try:
        run.create()
        if not run.spec_file.exists() or _stops(run) != spec.model_dump(mode="json")["stop"]:
            write_file(run.spec_file, spec.model_dump_json(indent=2).encode())
        checkpoints = run.checkpoint_names()
        if not checkpoints and any(run.checkpoints.glob("bad-*")):
            raise CheckpointError(
                "every checkpoint of this training is damaged and was set aside: nothing to go on from",
                where=str(run.checkpoints),
                hint="bring a whole checkpoint back under its name (without bad-), "
                "or begin anew in another --run-dir",
            )
        return run.write_attempt(
            run.highest_token() + 1,
            checkpoints[-1] if checkpoints else None,
            listings=dict(listings),
            device="cuda:0" if settings.device == "cuda" else settings.device,
            threads=settings.threads,
            bank=settings.bank_place,
            power=settings.power,
            devices=[name for name, _ in more],
            device_lock=str(gpu.lock_file) if gpu else None,
            more_locks=[str(other.lock_file) for _, other in more],
            host=socket.gethostname(),
            supervisor_pid=os.getpid(),
        )
    except OSError as error:
        raise SrqueueError(f"cannot write the run folder: {error.strerror}", where=str(run.path)) from None


def _stops(run: RunDir) -> list[str]:
    """The stop rules of the spec that lies in the run folder."""
    from srqueue.run.atomic import read_object

    return list(read_object(run.spec_file).get("stop", ()))


def _run(settings: Settings, run: RunDir, attempt: AttemptDir, spec: JobSpec) -> int:
    """Runs the trainer, shows its events, and returns the exit code.

    Raises SpecError where the trainer found that the spec does not hold, SrqueueError for any other failure
    that it told.
    """
    import subprocess
    import sys

    from srqueue.cli.display import Display
    from srqueue.cli.live import ask_to_pause, follow_process
    from srqueue.cli.output import say
    from srqueue.run.outcome import Outcome
    from srqueue.run.reasons import CONSEQUENCES, JobState, StopReason
    from srqueue.stack.commands import child_environment
    from srqueue.stack.processes import last_lines
    from srqueue.variables import SECRET_VARIABLES

    argv = [sys.executable, "-m", "workers.trainer", str(run.path), "--token", str(attempt.token)]
    argv.append("--supervised")  # it ends with this process, however that ends
    threads = str(settings.threads or 1)
    env = child_environment(settings, OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads, PYTHONUNBUFFERED="1")
    for name in SECRET_VARIABLES:  # the trainer needs none of them
        env.pop(name, None)
    say(f"run folder: {run.path}")
    with attempt.log_file.open("ab") as log, Display(spec.name) as display:
        child = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=log, stderr=log, env=env, start_new_session=True
        )
        display.progress.total = spec.train.total_iter
        try:
            killed = follow_process(child, attempt.events_file, display)
        finally:  # the terminal may be gone; the trainer must not go on unseen
            if child.poll() is None:
                ask_to_pause(child)
                child.wait()
            if child.stdin is not None:
                child.stdin.close()
    outcome = Outcome.read(attempt.outcome_file)
    if outcome is None and killed:
        say(f"ended at once; go on from its newest checkpoint: srqueue train SPEC --run-dir {run.path}")
        return 130
    if outcome is None:
        say(f"error: the trainer ended without a result\n{last_lines(attempt.log_file)}")
        say(f"  where: {attempt.log_file}")
        return 1
    failure = _failure(outcome, attempt)
    if failure is None:
        say(outcome.message or CONSEQUENCES[outcome.reason].text)
    if outcome.export:
        print(run.path / outcome.export)
    if settings.report and CONSEQUENCES[outcome.reason].next_state.final:
        _report(run)
    if failure is not None:
        raise failure
    if outcome.reason is StopReason.PAUSED:
        say(f"go on: srqueue train SPEC --run-dir {run.path}")
        return 130
    return 0 if CONSEQUENCES[outcome.reason].next_state is JobState.SUCCEEDED else 1


def _report(run: RunDir) -> None:
    from srqueue.cli.output import say
    from srqueue.report.making import make_report, write_tensorboard

    if make_report(run):
        say(f"report: {run.report}")
    write_tensorboard(run)


def _failure(outcome: Outcome, attempt: AttemptDir) -> SrqueueError | None:
    """The error that an outcome tells, of the class that gives it its exit code; None where it is none."""
    from srqueue.errors import SpecError, SrqueueError
    from srqueue.run.reasons import CONSEQUENCES, JobState, StopReason

    consequence = CONSEQUENCES[outcome.reason]
    if consequence.next_state not in (JobState.FAILED, JobState.HELD) and not consequence.counts_as_failure:
        return None
    told = outcome.message or consequence.text  # where and hint are in it already
    if outcome.reason is StopReason.SPEC_INVALID:
        return SpecError(told)
    return SrqueueError(told, where=str(attempt.log_file) if outcome.reason is StopReason.CRASHED else None)
