"""`srqueue up`, `down`, `status`: the stack of this machine."""

from __future__ import annotations

from typing import Annotated

import typer

FlowerPort = Annotated[
    int | None, typer.Option("--flower-port", min=1, max=65535, help="Port of Flower (SRQUEUE_FLOWER_PORT).")
]


def up(
    flower_port: FlowerPort = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="Start no worker on this machine.")] = False,
    no_flower: Annotated[bool, typer.Option("--no-flower", help="Start no Flower.")] = False,
) -> None:
    """Start the embedded server, a worker and Flower; they go on when you log out.

    With SRQUEUE_REDIS_URL set that server is used and none is started.
    """
    from srqueue.cli.output import say
    from srqueue.settings import load_settings
    from srqueue.stack.commands import flower_url
    from srqueue.stack.folders import low_space, prepare
    from srqueue.stack.stack import SERVICES, Stack

    settings = load_settings()
    if flower_port is not None:
        settings = settings.model_copy(update={"flower_port": flower_port})
    left_out = {name for name, skip in (("worker", no_worker), ("flower", no_flower)) if skip}
    wanted = [name for name in SERVICES if name not in left_out]
    prepare(settings)
    if warning := low_space(settings):
        say(f"warning: {warning}")
    stack = Stack(settings)
    told: list[str] = []  # printed afterwards: a reader that closes its end must not stop the services
    started = stack.up(wanted, report=told.append)
    print(*told, sep="\n", end="\n" if told else "")
    running = {status.name: status for status in stack.status()}
    if not started:
        print("already running: nothing was started")
    if settings.redis_url is not None:
        print(f"server: {settings.shown_url} (SRQUEUE_REDIS_URL)")
    if "flower" in wanted:
        print(f"Flower: {running['flower'].address or flower_url(settings)}")
    print(f"logs: {settings.logs}")
    print("stop it: srqueue down")


def down() -> None:
    """Stop Flower, the worker (its job is handed back with a checkpoint) and the embedded server."""
    from srqueue.settings import load_settings
    from srqueue.stack.stack import Stack

    if not Stack(load_settings()).down(report=print):
        print("nothing was running")


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show which services of this machine run. Exit code 1 where one does not."""
    from srqueue.cli.output import ago, print_json, print_table
    from srqueue.settings import load_settings
    from srqueue.stack.stack import Stack

    found = Stack(load_settings()).status()
    if as_json:
        print_json(found)
    else:
        rows = [
            [
                s.name,
                _STATES[s.state] + (f" ({s.rests})" if s.rests else ""),
                str(s.pid or "-"),
                ago(s.since),
                s.address or "-",
                s.log or "-",
            ]
            for s in found
        ]
        print_table(["SERVICE", "STATE", "PID", "STARTED", "ADDRESS", "LOG"], rows)
        if any(s.state in ("stopped", "stale") for s in found):
            print("start what is missing: srqueue up")
    if any(s.state in ("stopped", "stale") for s in found):
        raise typer.Exit(1)


_STATES = {
    "running": "running",
    "draining": "running (it takes no more jobs, and ends)",
    "stopped": "stopped",
    "stale": "stopped (it was drained or crashed, or the machine was restarted)",
    "elsewhere": "running (not started by srqueue up)",
}
