"""`srqueue migrate`: the queue moves to another server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli.options import AsJson

if TYPE_CHECKING:
    from srqueue.settings import Settings


def migrate(
    url: Annotated[
        str,
        typer.Argument(metavar="URL", help="The new server, as in SRQUEUE_REDIS_URL; -: read from stdin."),
    ] = "",
    then: Annotated[
        str,
        typer.Option(metavar="URL", help="The same server, as whom this machine uses it afterwards."),
    ] = "",
    undo: Annotated[
        bool,
        typer.Option("--undo", help="Take back an interrupted move; with URL also what is there."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Move records, queued and running jobs to another Redis or Valkey; nothing is trained again.

    Trainings go on meanwhile. Afterwards this machine uses the new server where SRQUEUE_REDIS_URL is not
    set; the old one says where the queue is. Interrupted, it is run again.
    """
    import sys

    from srqueue.cli.output import print_json, say
    from srqueue.errors import UsageError
    from srqueue.settings import load_settings, on_server
    from srqueue.store.connection import Connection
    from srqueue.store.migrating import moving

    settings = load_settings()
    address = sys.stdin.readline().strip() if url == "-" else url
    # Where another server has taken the embedded one's place, the embedded one is meant.
    here = settings.model_copy(update={"redis_url": None}) if settings.from_file else settings
    if undo:
        left = moving.undo(here)
        there = moving.take_away(on_server(settings, address)) if address else False
        print("the queue stays where it is" if left or there else "no move was begun")
        return
    if not address:
        raise UsageError("which server?", hint="srqueue migrate redis://HOST:6379/0")
    target = on_server(settings, address)
    after = on_server(settings, then) if then else target
    if after is not target:
        Connection(after).ping_server()
    if settings.from_file and target.shown_url != settings.shown_url:
        here = settings  # once more, from there
    noted = here.redis_url is None or here.from_file
    done = moving.Migration(here, target, say, after).run()
    if noted:
        _restart_flower(settings, after)
    held = {"keys": done.held.keys, "kinds": done.held.kinds, "sha256": done.held.sha256}
    if as_json:
        print_json({"url": done.url, **held})
        return
    what = "had moved already" if done.before else "has moved"
    both = f"{done.held.keys} keys, sha256 {done.held.sha256[:16]} on both sides"
    print(f"the queue {what} to {done.url}: {both}")
    if here.redis_url is None:
        print("workers and commands of this machine use it from now on (redis-url in SRQUEUE_HOME names it)")
    else:
        print("set SRQUEUE_REDIS_URL to it everywhere; restart workers and Flower: jobs are handed over")


def _restart_flower(settings: Settings, target: Settings) -> None:
    """Flower listens to one broker for as long as it runs; workers follow by themselves."""
    from srqueue.cli.output import say
    from srqueue.stack.stack import Stack

    if Stack(settings).pid_file("flower").process() is not None:
        Stack(settings).down(["flower"])
        Stack(target).up(["flower"], say)
