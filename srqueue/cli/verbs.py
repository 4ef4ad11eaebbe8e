"""`srqueue pause`, `resume`, `cancel`, `retry`: verbs on one job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from srqueue.store.record import JobRecord

JobRef = Annotated[
    str, typer.Argument(metavar="JOB", help="Id, end of an id (4 characters or more), or name.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def pause(job: JobRef, as_json: AsJson = False) -> None:
    """Pause a job; a running one saves a checkpoint first."""
    from srqueue.queue.client import Client

    _tell(Client().pause(job), as_json, "paused", "it saves a checkpoint and pauses")


def resume(job: JobRef, as_json: AsJson = False) -> None:
    """Put a paused job back into the queue; it goes on from its newest checkpoint."""
    from srqueue.queue.client import Client

    _tell(Client().resume(job), as_json, "back in the queue", "it goes on")


def cancel(job: JobRef, as_json: AsJson = False) -> None:
    """End a job; its best weights are exported first. `retry` takes it up again."""
    from srqueue.queue.client import Client

    _tell(Client().cancel(job), as_json, "cancelled", "it exports its best weights and ends")


def retry(job: JobRef, as_json: AsJson = False) -> None:
    """Queue a failed or cancelled job again; it goes on from its newest checkpoint."""
    from srqueue.queue.client import Client

    _tell(Client().retry(job), as_json, "back in the queue", "it goes on")


def _tell(record: JobRecord, as_json: bool, done: str, asked: str) -> None:
    from srqueue.cli.output import job_summary, print_json

    if as_json:
        print_json(job_summary(record))
    else:
        print(f"{record.name} {record.id}: {_text(record, done, asked)}")


def _text(record: JobRecord, done: str, asked: str) -> str:
    """What a verb did: `done` where it took effect at once, else what is to come of it."""
    if record.state == "running":
        return asked
    if not record.wish:
        return done
    return record.message or asked
