"""`srqueue drain`: workers hand over or finish their jobs, and end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from srqueue.queue.drains import Drained
    from srqueue.store.record import WorkerRecord


def drain(
    target: Annotated[
        str, typer.Argument(metavar="HOST|WORKER", help="A host, or one worker: its name, NAME@HOST.")
    ],
    finish: Annotated[
        bool, typer.Option("--finish", help="Take no new job, finish the running one, then end.")
    ] = False,
    wait: Annotated[
        float | None,
        typer.Option("--wait", metavar="SECONDS", min=0, help="Wait so long until the workers are gone."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Hand the jobs of a host's workers over with a checkpoint, and end the workers.

    Said again without --finish, workers that finish their jobs hand them over. Started again they work as
    before.
    """
    from srqueue.cli.output import print_json
    from srqueue.errors import SrqueueError
    from srqueue.queue.drains import drain, wait_until_gone
    from srqueue.settings import load_settings
    from srqueue.store.drains import Drain
    from srqueue.store.store import Store

    store = Store.connect(load_settings())
    asked = drain(store, target, Drain.FINISH if finish else Drain.HAND_OVER)
    if not as_json:
        for one in asked:
            print(_text(one), flush=True)
    left: tuple[WorkerRecord, ...] = ()
    if wait is not None:
        left = wait_until_gone(store, [one.worker for one in asked], wait)
    if as_json:
        print_json([_summary(one, None if wait is None else one.worker not in left) for one in asked])
    if left:
        names = ", ".join(worker.name for worker in left)
        hint = f"wait longer, or let them hand over: srqueue drain {target}" if finish else "wait longer"
        raise SrqueueError(f"still up after {wait:g} s: {names}", hint=hint)


def _text(one: Drained) -> str:
    if not one.jobs:
        return f"{one.worker.name} has no job and stops"
    jobs = ", ".join(f"{job.name} {job.short_id}" for job in one.jobs)
    if one.how == "finish":
        return f"{one.worker.name} finishes {jobs}, then stops"
    return f"{one.worker.name} hands {jobs} over and stops"


def _summary(one: Drained, gone: bool | None) -> dict[str, Any]:
    """`gone` is None where it was not waited for."""
    jobs = [{"id": job.id, "name": job.name} for job in one.jobs]
    found = {"worker": one.worker.name, "host": one.worker.host, "how": one.how, "jobs": jobs}
    return found if gone is None else {**found, "gone": gone}
