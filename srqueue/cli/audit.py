"""`srqueue audit`: who did what."""

from __future__ import annotations

from typing import Annotated

import typer

from srqueue.cli.options import AsJson


def audit(
    who: Annotated[
        str | None, typer.Option("--who", help="Only acts of this user: a name, or user@host.")
    ] = None,
    act: Annotated[
        str | None, typer.Option("--act", help="Only acts that begin so: cancel, campaign, submit ...")
    ] = None,
    job: Annotated[
        str | None, typer.Option("--of", help="Only acts on this: an id, the end of one, a name.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option("--from", help="Only acts by: cli, flower, python, worker.")
    ] = None,
    since: Annotated[str | None, typer.Option("--since", help="Only later ones: 12h, 2d, or a date.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="So many, the newest.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show who submitted, paused, cancelled, changed or removed what, when, and from where; newest first.

    The last 10,000 acts are kept in Redis; SRQUEUE_AUDIT_LOG has them in a file or in syslog as well.
    """
    import time
    from datetime import datetime
    from itertools import islice

    from srqueue.cli.moments import moment
    from srqueue.cli.output import print_json, print_table, say
    from srqueue.errors import UsageError, did_you_mean
    from srqueue.settings import load_settings
    from srqueue.store.audit import Audit, Entry, as_mapping
    from srqueue.store.connection import Connection

    origins = ("cli", "flower", "python", "worker")
    if origin is not None and origin not in origins:
        raise UsageError(f"no act comes from {origin!r}", where="--from", hint=did_you_mean(origin, origins))

    def is_meant(entry: Entry) -> bool:
        words = entry.what.lower().split()
        return (
            (who is None or who in (entry.who, entry.who.partition("@")[0]))
            and (act is None or entry.act.startswith(act))
            and (job is None or any(word == job.lower() or word.endswith(job.lower()) for word in words))
            and (origin is None or entry.origin == origin)
        )

    first = moment(since, time.time(), "--since")
    entries = Audit(Connection(load_settings())).newest(first)
    found = list(islice((entry for entry in entries if is_meant(entry)), limit))
    if as_json:
        print_json([as_mapping(entry) for entry in found])
        return
    if not found:
        say("no such act is known")
        return
    rows = [
        [
            datetime.fromtimestamp(entry.when).astimezone().strftime("%Y-%m-%d %H:%M:%S"),
            entry.who,
            " ".join(filter(None, (entry.origin, entry.address))),
            entry.act,
            entry.what,
            entry.result,
        ]
        for entry in found
    ]
    print_table(["WHEN", "WHO", "FROM", "ACT", "WHAT", "RESULT"], rows)
