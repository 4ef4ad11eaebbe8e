"""`srqueue explain`: why a job waits, was tried again, or stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli.options import AsJson

if TYPE_CHECKING:
    from srqueue.queue.explaining import Explanation, Facts
    from srqueue.store.store import Store


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
    from dataclasses import asdict

    from srqueue.cli.output import print_json
    from srqueue.queue.explaining import explain as explained
    from srqueue.settings import load_settings
    from srqueue.store.store import Store

    if "/" in job:
        title, told = _of_folder(job)
    else:
        store = Store.connect(load_settings())
        facts = _facts(store, store.resolve(job))
        title, told = f"{facts.job.name} {facts.job.short_id} is {facts.job.state}", explained(facts)
    if as_json:
        print_json({"job": title, **asdict(told)})
    else:
        _print(title, told)


def _of_folder(path: str) -> tuple[str, Explanation]:
    import time
    from pathlib import Path

    from srqueue.errors import UsageError
    from srqueue.queue.explaining import explain_folder
    from srqueue.run.evidence import gather
    from srqueue.run.folder import RunDir

    run = RunDir(Path(path).absolute())
    evidence = gather(run, time.time()) if run.spec_file.is_file() else None
    if evidence is None:
        raise UsageError("this is no run folder", where=path, hint="name a job: srqueue ls --all")
    return f"{evidence.name}, {run.path}", explain_folder(evidence)


def _facts(store: Store, job_id: str) -> Facts:
    import shutil
    import socket
    import time
    from pathlib import Path

    from srqueue.queue.explaining import Facts
    from srqueue.queue.waiting import able, why_waiting
    from srqueue.run.evidence import gather
    from srqueue.run.folder import RunDir

    job = store.get(job_id)
    now, workers = time.time(), store.workers()
    here = bool(job.run_dir) and job.host in (None, socket.gethostname()) and Path(str(job.run_dir)).is_dir()
    return Facts(
        job=job,
        now=now,
        attempts=store.attempts(job_id),
        workers=workers,
        waits=why_waiting(job, workers, store.ahead(job, able(job, workers)), now),
        lease_left=store.lease_left(job_id),
        evidence=gather(RunDir(Path(str(job.run_dir))), now) if here else None,
        free=shutil.disk_usage(str(job.run_dir)).free if here else None,
    )


def _print(title: str, told: Explanation) -> None:
    from srqueue.cli.output import print_table
    from srqueue.queue.explaining import ATTEMPT_COLUMNS

    print(title)
    for sentence in told.why:
        print(f"- {sentence}")
    if told.attempts:
        print()
        print_table(ATTEMPT_COLUMNS, told.attempts)
    if told.log:
        print("\nthe last lines of its log:")
        for line in told.log:
            print("  " + "".join(c if c.isprintable() else " " for c in line))
    if told.next:
        print(f"\nnext: {told.next}")
