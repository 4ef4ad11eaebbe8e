"""`srqueue dataset pack` and `gc`: the crop banks of this machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli import complete
from srqueue.cli.output import print_json, print_table, say

if TYPE_CHECKING:
    from srqueue.datasets import FoundBank

_QUIET = 5.0
"""Seconds between two plain lines."""

_FAILED = 20
"""Pictures that could not be read, named to a person."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Progress = Callable[[int, int, int], None]


def pack(
    name: Annotated[str, typer.Argument(help="Name of a data set.", autocompletion=complete.datasets)],
    scale: Annotated[
        int | None, typer.Option(min=2, max=4, help="2, 3 or 4; without it that of the LR folder, or 2.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read what is there, and make what is damaged again.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Decode a data set into its crop bank on disk, which trainings read where memory is short.

    Whatever moment it is stopped at, the next call or training goes on there. Exit code 1 where pictures
    could not be read.
    """
    from srqueue.counting import counted
    from srqueue.datasets import pack
    from srqueue.datasets.names import shown
    from srqueue.run.banks import gigabytes
    from srqueue.settings import load_settings

    settings = load_settings()
    try:
        with _progress(name) as progress:
            packed = pack(settings, name, scale, verify, progress, tell=say)
    except KeyboardInterrupt:
        say(f"what is packed stays; it goes on with: srqueue dataset pack {name}")
        raise
    if as_json:
        print_json(packed)
    else:
        for path, why in list(packed["failed"].items())[:_FAILED]:
            say(f"  {shown(path)}: {why}")
        there = f"{packed['packed']} of {counted(packed['pictures'], 'picture')}"
        size = gigabytes(packed["bytes"])
        print(
            f"{name}: {there} at scale {packed['scale']}, {size}, {packed['seconds']:.1f} s: {packed['path']}"
        )
    if packed["failed"]:
        raise typer.Exit(1)


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    as_json: Json = False,
) -> None:
    """Remove the crop banks that nobody will use: of data sets that are not registered any more,
    unfinished ones, and those made anew by newer decoders. Never one in use."""
    from srqueue.datasets import collect
    from srqueue.run.banks import gigabytes
    from srqueue.settings import load_settings

    settings = load_settings()
    given_up = collect(settings, dry_run)
    if as_json:
        print_json(given_up)
        return
    if given_up:
        rows = [[g.name, str(g.scale), gigabytes(g.freed), g.why, g.path] for g in given_up]
        print_table(["DATA SET", "SCALE", "SIZE", "WHY", "FOLDER"], rows)
    freed = gigabytes(sum(g.freed for g in given_up))
    print(f"{'would free' if dry_run else 'freed'} {freed} in {settings.bank_root}")


def bank_text(found: list[FoundBank]) -> str:
    """The banks of one data set for a cell of a table."""
    from srqueue.run.banks import gigabytes

    return ", ".join(
        f"x{b.scale} {gigabytes(b.stored)}" + ("" if b.complete else f" ({b.done} of {b.pictures})")
        for b in found
    )


@contextmanager
def _progress(name: str) -> Iterator[Progress]:
    """A bar on a terminal, else a line every few seconds; on stderr: stdout is for the result."""
    if not sys.stderr.isatty():
        yield _plain(name)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from srqueue.run.banks import gigabytes

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[size]}"), console=Console(stderr=True)) as bar:
        task = bar.add_task(f"packing {name}", total=None, size="")
        yield lambda done, total, size: bar.update(task, completed=done, total=total, size=gigabytes(size))


def _plain(name: str) -> Progress:
    from srqueue.cli.output import duration
    from srqueue.run.banks import gigabytes

    begun: tuple[float, int] | None = None
    told = 0.0

    def line(done: int, total: int, size: int) -> None:
        nonlocal begun, told
        now = time.monotonic()
        begun = begun or (now, done)
        if now - told < _QUIET and (done < total or told):
            return
        told, made = now, done - begun[1]
        left = f", {duration((now - begun[0]) / made * (total - done))} left" if made and done < total else ""
        say(f"packing {name}: {done} of {total} pictures, {gigabytes(size * done / max(total, 1))}{left}")

    return line
