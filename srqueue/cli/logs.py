"""`srqueue logs`: what happened in a job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli.verbs import JobRef

if TYPE_CHECKING:
    from srqueue.cli.printed import Printed
    from srqueue.run.events import Event
    from srqueue.run.folder import RunDir
    from srqueue.store.store import Store


def logs(
    job: JobRef,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")] = False,
    trainer: Annotated[
        bool, typer.Option("--trainer/--no-trainer", help="What the trainer printed, at the end.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the raw event lines.")] = False,
) -> None:
    """Print the events of a job, then what the trainer printed in its last attempt; with -f in each.

    From the run folder where it is on this machine (all of them), else from Redis: of events the newest
    hundreds, and of the older ones enough for a whole curve; of what was printed the newest 200 lines.
    """
    from srqueue.cli.output import say
    from srqueue.cli.printed import Printed
    from srqueue.settings import load_settings
    from srqueue.store.run_folders import not_read, run_of
    from srqueue.store.store import Store

    store = Store.connect(load_settings())
    record = store.get(store.resolve(job))
    printed = Printed(store, record.id) if trainer and not as_json else None
    if why := not_read(record):
        say(f"note: {why}")
    if follow:
        _follow(store, record.id, as_json, printed)
        return
    for event in _past(store, record.id, run_of(record)):
        print(event.line() if as_json else event_line(event))
    if printed:
        printed.last()


def event_line(event: Event) -> str:
    """One event for a person: time, iteration, what happened."""
    import time

    clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.t))
    data = event.data
    if event.kind == "message":
        text = f"{data.get('level')}: {data.get('text')}"
    elif event.kind == "phase":
        more = ", ".join(f"{k} {v}" for k, v in data.items() if k != "phase")
        text = f"{data.get('phase')}" + (f" ({more})" if more else "")
    else:
        text = f"{event.kind}: " + ", ".join(f"{k} {_short(v)}" for k, v in data.items())
    text = "".join(c if c.isprintable() else " " for c in text)
    return f"{clock}  t{event.token}  it {event.it:>7}  {text}"


def _short(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _past(store: Store, job_id: str, run: RunDir | None) -> Iterator[Event]:
    """Every event so far."""
    if run is not None:
        yield from run.events()
        return
    yield from (event for _, event in _batches(store, job_id, "0-0"))


def _follow(store: Store, job_id: str, as_json: bool, printed: Printed | None) -> None:
    """Prints every event, then the new ones until the job ends, and after each attempt what it printed.

    Redis going away is waited out.
    """
    import time

    from srqueue.cli.live import POLL
    from srqueue.cli.output import say
    from srqueue.errors import ServiceUnreachable

    position, away = "0-0", False
    while True:
        try:
            record = store.get(job_id)
            over = record.rests
            if printed:
                printed.read()
            for behind, event in _batches(store, job_id, position):
                if printed:
                    printed.before(event.token)
                print(event.line() if as_json else event_line(event), flush=True)
                position = behind
            if printed:
                printed.before(record.token + 1 if record.state != "running" else record.token)
            away = False
            if over:
                return
        except ServiceUnreachable as error:
            if not away:
                say(f"{error.message}; waiting for Redis")
            away = True
        time.sleep(POLL)


def _batches(store: Store, job_id: str, position: str) -> Iterator[tuple[str, Event]]:
    from srqueue.run.events import Event

    while batch := store.events(job_id, after=position):
        yield from ((behind, Event.parse(line)) for behind, line in batch)
        position = batch[-1][0]
