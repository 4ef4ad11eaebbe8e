"""`srqueue worker`: a worker in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer


def worker(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", help="Name of the worker, unique on this host.")] = "worker",
    loglevel: Annotated[str, typer.Option("--loglevel", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
    device: Annotated[
        str | None, typer.Option("--device", help="auto, cpu, cuda:N or cuda:N,M; instead of SRQUEUE_DEVICE.")
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option("--gpu", help="The GPU of that number, or of several: 0,1 for jobs that share batches."),
    ] = None,
    slots: Annotated[
        int | None, typer.Option("--slots", min=1, max=16, help="Jobs at a time; instead of SRQUEUE_SLOTS.")
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            metavar="KEY=VALUE",
            help="What jobs may ask for: gpu=a100 (repeatable); SRQUEUE_LABELS.",
        ),
    ] = None,
) -> None:
    """Run a worker in the foreground, on one device. Further arguments go to Celery's worker.

    With --slots several jobs run at a time and share the device: each gets its part of a GPU's memory.
    SIGTERM or Ctrl-C hands its jobs back with a checkpoint.
    """
    import os

    from srqueue.cli.output import say
    from srqueue.errors import ServiceUnreachable, UsageError
    from srqueue.run.folder import check_name
    from srqueue.settings import load_settings
    from srqueue.spec.needs import parse_labels
    from srqueue.stack.commands import worker_argv, worker_environment
    from srqueue.stack.folders import prepare
    from srqueue.store.connection import Connection
    from srqueue.store.server_safety import hole, named, refuse_anybody

    if gpu is not None and device is not None:
        raise UsageError("--gpu and --device name the same thing", hint="give one of them")
    if gpu is not None:
        device = f"cuda:{gpu}"
    labels = ",".join(parse_labels(",".join(label))) if label else None
    chosen = {"SRQUEUE_DEVICE": device, "SRQUEUE_SLOTS": slots, "SRQUEUE_LABELS": labels}
    os.environ.update({name: str(value) for name, value in chosen.items() if value is not None})
    settings = load_settings()
    argv = [*worker_argv(check_name(name, "a worker"), loglevel), *context.args]
    prepare(settings)
    connection = Connection(settings)
    try:
        connection.ping()
        refuse_anybody(connection)
        if (server := named(connection)) and (warning := hole(*server)):
            say(f"warning: {warning}")
    except ServiceUnreachable as error:
        say(f"{error.message} ({settings.shown_url}): the worker waits for it; {error.hint or 'is it up?'}")
    env = worker_environment(settings)
    os.chdir(settings.home)
    os.execve(argv[0], argv, env)
