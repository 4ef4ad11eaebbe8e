"""`srqueue ls`: the jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from srqueue.settings import Settings
    from srqueue.store.record import JobRecord

_OPEN = ("running", "queued", "held", "paused")


def _states(incomplete: str) -> list[str]:
    from srqueue.run.reasons import JobState

    return [state.value for state in JobState if state.value.startswith(incomplete)]


def ls(
    state: Annotated[
        list[str] | None,
        typer.Option("--state", "-s", help="Only this state (repeatable).", autocompletion=_states),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100_000, help="At most that many.")] = 50,
    everything: Annotated[bool, typer.Option("--all", "-a", help="No limit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List jobs, newest first."""
    from srqueue.cli.output import job_summary, print_json, print_table, say
    from srqueue.counting import counted
    from srqueue.errors import UsageError, did_you_mean
    from srqueue.run.reasons import JobState
    from srqueue.settings import load_settings
    from srqueue.store.store import Store

    known = [s.value for s in JobState]
    for name in state or ():
        if name not in known:
            raise UsageError(f"no state {name!r}", where="--state", hint=did_you_mean(name, known))
    states = [JobState(name) for name in state] if state else None
    settings = load_settings()
    records = Store.connect(settings).list(states, limit=100_000 if everything else limit)
    if as_json:
        print_json([job_summary(record) for record in records])
        return
    if not records:
        print("no jobs" if not state else f"no jobs that are {' or '.join(state)}")
        if not state and (folders := _folders(settings)):
            say(f"{counted(folders, 'run folder')} here that Redis does not know: srqueue recover --dry-run")
        return
    print_table(
        ["ID", "NAME", "STATE", "PROGRESS", "PSNR", "ETA", "PRIO", "CREATED"], [_row(r) for r in records]
    )
    if not everything and len(records) == limit:
        say(f"the newest {limit}; more with --limit or --all")


def _folders(settings: Settings) -> int:
    """Run folders of the queue's jobs on this machine, by the card that a worker lays into each."""
    from srqueue.run.folder import RunDir

    try:
        runs = [RunDir(path) for path in settings.runs_root.iterdir()]
    except OSError:
        return 0
    return sum(run.card_file.is_file() and not run.removed_file.exists() for run in runs)


def _row(record: JobRecord) -> list[str]:
    from srqueue.cli.output import ago, duration, number, wish_text

    done = f"{record.iteration}/{record.total_iter}"
    running = record.state == "running"
    wish = wish_text(record)
    state = f"{record.state} ({wish})" if wish else str(record.state)
    psnr = number({**record.progress, **_best(record)}, "best_psnr", unit=" dB")
    eta = duration(record.progress.get("eta_s")) if running else "-"
    return [
        *(record.short_id, record.name, state, done, psnr, eta),
        *(str(record.priority), ago(record.created)),
    ]


def _best(record: JobRecord) -> dict[str, float]:
    best = record.metrics.get("best/psnr")
    return {} if best is None else {"best_psnr": best}
