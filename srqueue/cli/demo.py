"""`srqueue demo`: the whole path on real photographs, in about a minute of training."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli.endings import handling
from srqueue.cli.stack import FlowerPort

if TYPE_CHECKING:
    from srqueue.queue.client import Client
    from srqueue.settings import Settings
    from srqueue.store.record import JobRecord


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack up afterwards.")] = False,
    flower_port: FlowerPort = None,
) -> None:
    """Start a stack, train a small model on photographs, compare it with bicubic, stop the stack.

    Needs nothing beforehand and downloads nothing. Exit code 0 only where the training succeeded.
    """
    from srqueue.cli.output import say
    from srqueue.settings import load_settings
    from srqueue.stack.ports import next_free_port
    from srqueue.stack.stack import Stack

    settings = load_settings()
    flower = Stack(settings).pid_file("flower")
    if flower.process() is None:
        port = flower_port or next_free_port(settings.flower_address, settings.flower_port)
        settings = settings.model_copy(update={"flower_port": port})
    stack = Stack(settings)
    with handling(signal.default_int_handler):
        say("starting an embedded server, a worker and Flower ...")
        started = stack.up(report=say)
        address = flower.read().get("address", "")
        say(f"Flower: {address}")
        try:
            record = _train(settings)
            succeeded = record.state == "succeeded"
            if succeeded:
                _tell_result(record)
                open_now = keep or "flower" not in started
                print(f"Flower       {address}" + ("" if open_now else " (while the stack is up)"))
            else:
                say(f"the demo's job {record.state}: {record.message or ''}\n  its folder: {record.run_dir}")
        finally:
            with handling(signal.SIG_IGN):
                if keep:
                    say("the stack stays up; stop it: srqueue down")
                else:
                    stack.down(started, report=say)
    raise typer.Exit(0 if succeeded else 1)


def _train(settings: Settings) -> JobRecord:
    """Makes the data set, queues the job and shows it; an interrupted job is paused."""
    from srqueue.cli.live import follow
    from srqueue.cli.output import say
    from srqueue.datasets import Registry, add_sample, dataset_ref
    from srqueue.queue.client import Client
    from srqueue.spec.expand import expand

    entry = add_sample(settings)
    say(f"data set {entry.name}: {entry.pictures} photographs, {entry.held_out} of them held out")
    expanded = expand(dataset_ref(Registry(settings), entry.name), preset="quick")
    client = Client(settings)
    job: JobRecord | None = None
    try:
        job = client.submit(expanded, priority=9, again=True).job
        say(f"queued {job.name} {job.id}")
        return follow(client.store, job.id, from_start=True)
    except BaseException:
        with handling(signal.SIG_IGN):
            if job is not None:
                _hand_back(client, job.id)
        raise


def _hand_back(client: Client, job_id: str) -> None:
    """Pauses the job, so that it neither runs on nor begins by itself at the next `srqueue up`."""
    from srqueue.cli.output import say
    from srqueue.errors import SrqueueError

    try:
        record = client.pause(job_id)
    except SrqueueError as error:
        say(f"the demo's job could not be paused: {error.message}")
        return
    say(f"the demo's job is paused; go on with it: srqueue up, then srqueue resume {record.short_id}")


def _tell_result(record: JobRecord) -> None:
    """Model, figures beside bicubic, picture, run folder."""
    from srqueue.cli.output import duration
    from srqueue.store.run_folders import run_of

    metrics = record.metrics
    run = run_of(record)
    seconds = metrics.get("seconds")
    print(f"\n{record.iteration} iterations" + (f" in {duration(seconds)} of training" if seconds else ""))
    print(f"{'':<13}{'model':>10}{'bicubic':>10}{'gain':>10}   on the held-out photographs")
    for label, metric, digits, unit in (("PSNR-Y", "psnr", 2, " dB"), ("SSIM-Y", "ssim", 4, "")):
        best = metrics.get(f"best/{metric}", metrics.get(f"val/{metric}"))
        base = metrics.get(f"bicubic/{metric}")
        if best is not None and base is not None:
            cells = f"{best:>10.{digits}f}{base:>10.{digits}f}{best - base:>+10.{digits}f}"
            print(f"{label:<13}{cells}{unit}")
    if run is not None:
        for model in sorted(run.export.glob("*.safetensors")):
            print(f"model        {model}")
        print(f"comparison   {run.export / 'comparison.png'} (bicubic | model | original)")
    print(f"run folder   {record.run_dir}")
