"""`srqueue ls`: the jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from srqueue.settings import Settings
    from srqueue.store.record import JobRecord
    from srqueue.store.store import Store

_AT_ONCE = 1000
"""Records that are read by one call where all are asked for."""


def _states(incomplete: str) -> list[str]:
    from srqueue.run.reasons import JobState

    return [state.value for state in JobState if state.value.startswith(incomplete)]


def ls(
    state: Annotated[
        list[str] | None,
        typer.Option("--state", "-s", help="Only this state (repeatable).", autocompletion=_states),
    ] = None,
    campaign: Annotated[str | None, typer.Option("--campaign", "-c", help="Only of this campaign.")] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="WHEN", help="Only created since: 30m, 12h, 2d ago, or 2026-03-01."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="Only created until then.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="Jobs of a page.")] = 50,
    page: Annotated[int, typer.Option("--page", "-p", min=1, help="Which page; 1 has the newest.")] = 1,
    everything: Annotated[bool, typer.Option("--all", "-a", help="All pages.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List jobs, newest first."""
    import time

    from srqueue.cli.moments import check_period, moment
    from srqueue.cli.output import job_summary, print_json, print_table, say
    from srqueue.counting import counted
    from srqueue.errors import UsageError
    from srqueue.run.folder import check_name
    from srqueue.settings import load_settings
    from srqueue.store.store import Store

    chosen: dict[str, Any] = {
        "states": _known(state), "campaign": campaign,
        "since": moment(since, time.time(), "--since"),
        "until": moment(until, time.time(), "--until", last=True),
    }  # fmt: skip
    if campaign is not None:
        check_name(campaign, "a campaign")
    check_period(chosen["since"], chosen["until"])
    if everything and page > 1:
        raise UsageError("--all and --page exclude each other", hint="leave one of them out")
    settings = load_settings()
    store = Store.connect(settings)
    offset = 0 if everything else (page - 1) * limit
    records = _all(store, chosen) if everything else store.list(limit=limit, offset=offset, **chosen)
    if as_json:
        print_json([job_summary(record) for record in records])
        return
    total = store.count(**chosen)
    if not total:
        _tell_of_none(settings, store, campaign, bool(state or since or until))
        return
    if records:
        columns = ["ID", "NAME", "STATE", "PROGRESS", "PSNR", "ETA", "AT THE END", "PRIO", "CREATED"]
        print_table(columns, [_row(r) for r in records])
    last = -(-total // limit)
    if not records:
        say(f"page {page} is empty: {counted(total, 'job')}, of which page {last} has the oldest")
    elif len(records) < total:
        more = f"; older ones: --page {page + 1}" if page < last else ""
        say(f"{offset + 1} to {offset + len(records)} of {total:,}{more}")


def _known(states: Sequence[str] | None) -> list[str] | None:
    from srqueue.errors import UsageError, did_you_mean

    known = _states("")
    for name in states or ():
        if name not in known:
            raise UsageError(f"no state {name!r}", where="--state", hint=did_you_mean(name, known))
    return list(states) if states else None


def _all(store: Store, chosen: dict[str, Any]) -> list[JobRecord]:
    """In parts, so that no answer of Redis grows without bound; a job that comes meanwhile is left out."""
    found: dict[str, JobRecord] = {}
    while part := store.list(limit=_AT_ONCE, offset=len(found), **chosen):
        before = len(found)
        found |= {record.id: record for record in part}
        if len(found) == before:
            break
    return list(found.values())


def _tell_of_none(settings: Settings, store: Store, campaign: str | None, narrowed: bool) -> None:
    from srqueue.cli.output import say
    from srqueue.counting import counted
    from srqueue.errors import UsageError, did_you_mean

    if campaign and not store.count(campaign=campaign):
        hint = did_you_mean(campaign, [name for name, _ in store.campaigns(_AT_ONCE)])
        raise UsageError(f"there is no campaign {campaign!r}", where="--campaign", hint=hint)
    print("no such jobs" if narrowed or campaign else "no jobs")
    if not narrowed and (folders := _folders(settings)):
        say(f"{counted(folders, 'run folder')} here that Redis does not know: srqueue recover --dry-run")


def _folders(settings: Settings) -> int:
    """Run folders of the queue's jobs on this machine, by the card that a worker lays into each."""
    from srqueue.run.folder import RunDir

    try:
        runs = [RunDir(path) for path in settings.runs_root.iterdir()]
    except OSError:
        return 0
    return sum(run.card_file.is_file() and not run.removed_file.exists() for run in runs)


def _row(record: JobRecord) -> list[str]:
    import time

    from srqueue.cli.output import ago, duration, number, wish_text
    from srqueue.forecast.told import Told

    done = f"{record.iteration}/{record.total_iter}"
    running = record.state == "running"
    wish = wish_text(record)
    state = f"{record.state} ({wish})" if wish else str(record.state)
    psnr = number({**record.progress, **_best(record)}, "best_psnr", unit=" dB")
    told = Told.of(record.progress) if running else None
    eta = (told and told.left(time.time())) or duration(record.progress.get("eta_s") if running else None)
    return [
        *(record.short_id, record.name, state, done, psnr, eta, (told and told.quality()) or "-"),
        *(str(record.priority), ago(record.created)),
    ]


def _best(record: JobRecord) -> dict[str, float]:
    best = record.metrics.get("best/psnr")
    return {} if best is None else {"best_psnr": best}
