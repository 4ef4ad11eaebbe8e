"""`srqueue flower`: the monitor in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from srqueue.cli.stack import FlowerPort


def flower(
    context: typer.Context,
    flower_port: FlowerPort = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Only show: no acts on jobs (SRQUEUE_FLOWER_READ_ONLY).")
    ] = False,
) -> None:
    """Run Flower in the foreground. Further arguments go to Flower."""
    import os

    from srqueue.settings import load_settings
    from srqueue.stack.commands import flower_argv, flower_environment
    from srqueue.stack.folders import prepare
    from srqueue.stack.ports import require_free

    settings = load_settings()
    if flower_port is not None:
        settings = settings.model_copy(update={"flower_port": flower_port})
    if read_only:
        settings = settings.model_copy(update={"flower_read_only": True})
    argv = [*flower_argv(settings), *context.args]
    require_free(settings.flower_address, settings.flower_port)
    prepare(settings)
    env = flower_environment(settings)
    os.umask(0o077)
    os.chdir(settings.home)
    os.execve(argv[0], argv, env)
