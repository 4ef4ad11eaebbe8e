"""`srqueue top`: the workers, how busy their machines are, and what they train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli.verbs import AsJson

if TYPE_CHECKING:
    from srqueue.cli.worker_table import Fleet
    from srqueue.store.store import Store


def top(
    once: Annotated[bool, typer.Option("--once", help="Print it once, also on a terminal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show workers, CPUs, GPUs and the job of each; up to date on a terminal until Ctrl-C, once elsewhere."""
    from srqueue.cli.display import on_terminal
    from srqueue.cli.output import print_json, print_table
    from srqueue.cli.worker_table import COLUMNS, as_dicts, look, rows
    from srqueue.settings import load_settings
    from srqueue.store.store import Store

    store = Store.connect(load_settings())
    if as_json:
        print_json(as_dicts(look(store)))
    elif on_terminal() and not once:
        _follow(store)
    else:
        fleet = look(store)
        if lines := rows(fleet):
            print_table(COLUMNS, lines)
        print(_below(fleet))


def _follow(store: Store) -> None:
    """Draws it anew until Ctrl-C. Redis going away for a while is told and waited out."""
    import time

    from rich.live import Live
    from rich.text import Text

    from srqueue.cli.worker_table import drawing, look
    from srqueue.errors import ServiceUnreachable

    with Live(refresh_per_second=4) as live:
        while True:
            try:
                fleet = look(store)
                live.update(drawing(fleet, live.console.height, _below(fleet)))
            except ServiceUnreachable as error:
                live.update(Text(f"{error.message}; waiting for Redis"))
            time.sleep(1.0)


def _below(fleet: Fleet) -> str:
    from srqueue.cli.job_table import counts_text
    from srqueue.counting import counted

    if not fleet.workers:
        told = "no worker is up: srqueue up, or srqueue worker on the machine that trains"
    else:
        told = counted(len(fleet.workers), "worker")
    waiting = counts_text(fleet.counts)
    return f"{told}; {waiting}" if waiting else told
