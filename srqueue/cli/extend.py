"""`srqueue extend`: go on where a job ended."""

from __future__ import annotations

from typing import Annotated

import typer

from srqueue.cli import options
from srqueue.cli.verbs import JobRef


def extend(
    job: JobRef,
    iterations: Annotated[
        int, typer.Option("--iterations", min=1, help="How many more than it has trained.")
    ],
    name: options.Name = None,
    priority: options.Priority = 5,
    again: options.Again = False,
    wait: options.Wait = False,
    dry_run: options.DryRun = False,
    as_json: options.AsJson = False,
) -> None:
    """Queue a job that goes on exactly where an ended one stopped.

    It begins with that job's newest checkpoint: keep its run folder until then.
    """
    from srqueue.cli.queueing import queue
    from srqueue.queue.client import Client
    from srqueue.queue.findings import with_findings
    from srqueue.run.folder import check_name
    from srqueue.settings import load_settings

    if name is not None:
        check_name(name, "a job")
    settings = load_settings()
    expanded = Client(settings).extend(job, iterations, name=name)
    queue(
        settings,
        with_findings(settings, expanded),
        priority=priority,
        again=again,
        wait=wait,
        dry_run=dry_run,
        as_json=as_json,
        act=f"extend of {job}",
    )
