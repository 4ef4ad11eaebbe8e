"""`srqueue load-scripts`: our Lua scripts, for users of Redis who may call them and load none."""

from __future__ import annotations

from typing import Annotated

import typer

_LOOK = 1.0  # seconds


def load_scripts(
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and load them again when the server was restarted.")
    ] = False,
) -> None:
    """Load our Lua scripts into Redis, as a user who may do that and nothing else.

    Only needed where the other users may not (deploy/redis/users.acl.in), after each start of the server and
    after an upgrade of srqueue.
    """
    import time

    from srqueue.cli.output import say
    from srqueue.counting import counted
    from srqueue.errors import ServiceUnreachable
    from srqueue.queue.lua_loading import load_missing
    from srqueue.settings import load_settings
    from srqueue.store.connection import Connection

    connection = Connection(load_settings())
    if not watch:
        print(f"{counted(load_missing(connection), 'script')} loaded into {connection.settings.shown_url}")
        return
    away = False
    while True:
        try:
            if loaded := load_missing(connection):
                print(f"{counted(loaded, 'script')} loaded into {connection.settings.shown_url}", flush=True)
            away = False
        except ServiceUnreachable as error:
            if not away:
                say(f"{error.message} ({connection.settings.shown_url}): tried again each {_LOOK:g} s")
            away = True
        time.sleep(_LOOK)
