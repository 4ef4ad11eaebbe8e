"""`srqueue dataset publish` and `sync`: data sets by way of a remote folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli import complete
from srqueue.cli.output import print_json, say

if TYPE_CHECKING:
    from srqueue.remote.folder import RemoteFolder

_QUIET = 5.0
"""Seconds between two lines of progress."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Url = Annotated[str | None, typer.Argument(help="Remote folder; without it SRQUEUE_REMOTE.")]


def publish(
    name: Annotated[str, typer.Argument(help="Name of a data set.", autocompletion=complete.datasets)],
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Upload a data set to a remote folder, for `sync` on other machines.

    What is there already is passed over, so a call that broke off goes on.
    """
    from srqueue.counting import counted
    from srqueue.datasets import Registry
    from srqueue.datasets.publishing import publish as upload
    from srqueue.remote.folder import Rate
    from srqueue.run.banks import gigabytes
    from srqueue.settings import load_settings

    settings = load_settings()
    remote = _remote(settings.remote, url)
    sent, size = upload(Registry(settings), name, remote, Rate(settings.remote_rate), _progress(name))
    if as_json:
        print_json({"name": name, "url": remote.url, "files": sent, "bytes": size})
    else:
        print(f"{name}: {counted(sent, 'file')} uploaded ({gigabytes(size)}), all of it is in {remote.url}")


def sync(
    name: Annotated[str, typer.Argument(help="Name of the data set there, and here.")],
    url: Annotated[
        str | None, typer.Argument(help="Remote folder, also by https; without it SRQUEUE_REMOTE.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a data set of that name.")] = False,
    as_json: Json = False,
) -> None:
    """Bring a data set from a remote folder, and register it.

    Every picture is verified. A call that broke off goes on where it was. All that was brought shares
    SRQUEUE_DATA_QUOTA: what was used least recently gives way, never what a running job trains on.
    """
    from dataclasses import asdict

    from srqueue.counting import counted
    from srqueue.datasets import Registry
    from srqueue.datasets.syncing import sync as bring
    from srqueue.run.banks import gigabytes
    from srqueue.settings import load_settings

    settings = load_settings()
    remote = _remote(settings.remote, url, reading=True)
    done = bring(settings, name, remote, replace=replace, progress=_progress(name))
    for other in done.gave_way:
        say(f"{other} gave way: bring it again with srqueue dataset sync {other}")
    if as_json:
        told = {"folder": str(done.folder), "bytes": done.bytes, "gave_way": done.gave_way}
        print_json({**asdict(done.entry), **told})
        return
    if done.entry.val and Registry(settings).find(done.entry.val) is None:
        say(f"it validates on {done.entry.val}: srqueue dataset sync {done.entry.val}")
    pictures = counted(done.entry.pictures, "picture")
    print(f"{name}: {pictures} in {done.folder}, {gigabytes(done.bytes)} came over the wire")


def _remote(known: str, url: str | None, *, reading: bool = False) -> RemoteFolder:
    from srqueue.errors import UsageError
    from srqueue.remote.folder import RemoteFolder
    from srqueue.remote.url import parse_remote

    if not (url or known):
        raise UsageError("no remote folder was named", where="URL", hint="s3://bucket/prefix")
    return RemoteFolder.open(parse_remote(url, "URL", reading=reading) if url else known)


def _progress(name: str) -> Callable[[int, int], None]:
    told = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told > _QUIET:
            told = time.monotonic()
            say(f"{name}: {done} of {total}")

    return tell
