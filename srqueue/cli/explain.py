"""`srqueue explain`: why a job waits, was tried again, or stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli.options import AsJson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srqueue.queue.explaining import Explanation


def explain(
    job: Annotated[
        str,
        typer.Argument(
            metavar="JOB", help="Id, end of an id, name, or the path of a run folder (needs no Redis)."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Say why a job waits, was tried again or stopped, with the evidence, and what to do next."""
    from pathlib import Path

    if "/" in job or Path(job).joinpath("spec.json").is_file():
        _folder(job, as_json)
    else:
        _job(job, as_json)


def _job(ref: str, as_json: bool) -> None:
    from srqueue.cli.output import job_summary
    from srqueue.errors import ServiceUnreachable
    from srqueue.queue.explaining import explain as explained
    from srqueue.queue.facts import facts_of
    from srqueue.settings import load_settings
    from srqueue.store.store import Store

    settings = load_settings()
    try:
        store = Store.connect(settings)
        facts = facts_of(store, store.resolve(ref))
    except ServiceUnreachable as error:
        hint = f"its run folder can be explained without Redis: srqueue explain {settings.runs_root}/ID"
        raise ServiceUnreachable(
            error.message, where=error.where, hint="; ".join(filter(None, [error.hint, hint]))
        ) from error
    told, record = explained(facts), facts.job
    title = f"{record.name} {record.short_id} is {record.state}"
    if as_json:
        _print_json(job_summary(record), facts.attempts, told)
    else:
        _print(title, told)


def _folder(path: str, as_json: bool) -> None:
    import time
    from pathlib import Path

    from srqueue.errors import UsageError
    from srqueue.queue.explaining import explain_folder
    from srqueue.run.evidence import gather
    from srqueue.run.folder import RunDir

    run, now = RunDir(Path(path).absolute()), time.time()
    evidence = gather(run, now) if run.spec_file.is_file() else None
    if evidence is None:
        raise UsageError("this is no run folder", where=path, hint="name a job: srqueue ls --all")
    told = explain_folder(evidence, now)
    if as_json:
        _print_json({"name": evidence.name, "run_dir": str(run.path)}, evidence.attempts, told)
    else:
        _print(f"{evidence.name}, {run.path}", told)


def _print_json(job: dict[str, object], attempts: Sequence[object], told: Explanation) -> None:
    """The job, all of its attempts as they are stored, and what is told of them."""
    from srqueue.cli.output import print_json

    print_json(
        {
            "job": job, "why": told.why, "next": told.next, "attempts": attempts, "log": told.log,
            "log_file": told.log_file,
        }
    )  # fmt: skip


def _print(title: str, told: Explanation) -> None:
    from srqueue.cli.output import print_table
    from srqueue.queue.explaining import ATTEMPT_COLUMNS

    print(title)
    for sentence in told.why:
        print(f"- {_printable(sentence)}")
    if told.attempts:
        print()
        print_table(ATTEMPT_COLUMNS, told.attempts)
        if told.earlier:
            print(f"{told.earlier} before these: --json shows what is known of them")
    if told.log:
        print(f"\nthe last lines of {told.log_file}:")
        for line in told.log:
            print("  " + _printable(line))
    print(f"\nnext: {told.next}")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
