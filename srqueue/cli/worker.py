"""`srqueue worker`: a worker in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer


def worker(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", help="Name of the worker, unique on this host.")] = "worker",
    loglevel: Annotated[str, typer.Option("--loglevel", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Run a worker in the foreground: one job at a time. Further arguments go to Celery's worker.

    SIGTERM or Ctrl-C hands its job back with a checkpoint.
    """
    import os

    from srqueue.run.folder import check_name
    from srqueue.settings import load_settings
    from srqueue.stack.commands import worker_argv, worker_environment
    from srqueue.stack.folders import prepare

    settings = load_settings()
    argv = [*worker_argv(check_name(name, "a worker"), loglevel), *context.args]
    prepare(settings)
    env = worker_environment(settings)
    os.chdir(settings.home)
    os.execve(argv[0], argv, env)
