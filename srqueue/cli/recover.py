"""`srqueue recover`: rebuild what Redis has lost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli.options import AsJson

if TYPE_CHECKING:
    from srqueue.queue.recovering import Recovered

_NEVER_BEGUN = "a job that no worker ever began has no run folder: submit it again"


def recover(
    runs: Annotated[
        Path | None, typer.Option("--runs", metavar="FOLDER", help="Only what lies in this runs root.")
    ] = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="From the remote folder (SRQUEUE_REMOTE): the machines are gone.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be added, add nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Rebuild the jobs that Redis has lost from the run folders of this machine.

    Only adds what is missing. A job that ended is listed again, a stopped one is queued and goes on from its
    newest checkpoint, a running one stays with its worker. A remote folder (SRQUEUE_REMOTE) is asked how far
    they are there. Jobs that no worker ever began have no run folder and are not found.
    """
    from srqueue.cli.output import job_summary, print_json, say
    from srqueue.counting import counted
    from srqueue.errors import UsageError
    from srqueue.queue.recovering import recover as recovered
    from srqueue.queue.recovering import recover_remote
    from srqueue.settings import load_settings

    settings = load_settings()
    if remote and runs:
        raise UsageError("--remote and --runs do not go together", hint="give one of them")
    found: list[Recovered] = []
    folders = recovered(settings, runs or settings.runs_root, alone=runs is not None, dry_run=dry_run)
    for one in recover_remote(settings, dry_run=dry_run) if remote else folders:
        found.append(one)
        if one.how == "unreadable":
            say(f"error: {one.path} is left out: {one.problem}")
        elif one.how == "recovered" and one.job and not as_json:
            done = f"iteration {one.job.iteration} of {one.job.total_iter}"
            print(f"{one.job.name} {one.job.id}: {one.job.state}, {done}", flush=True)
    if as_json:
        print_json(
            [
                {"path": one.path, "how": one.how, "problem": one.problem,
                 "job": job_summary(one.job) if one.job else None}
                for one in found
            ]
        )  # fmt: skip
    else:
        how = [one.how for one in found]
        added = counted(how.count("recovered"), "job")
        print(f"{added} {'to be recovered' if dry_run else 'recovered'}, {how.count('known')} known already")
        say(_NEVER_BEGUN)
    if any(one.how == "unreadable" for one in found):
        raise typer.Exit(1)
