"""`srqueue rm`: forget a finished job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli.verbs import JobRef

if TYPE_CHECKING:
    from srqueue.settings import Settings
    from srqueue.store.record import JobRecord


def rm(
    job: JobRef,
    files: Annotated[
        bool, typer.Option("--files", help="Delete its run folder too: checkpoints and exported model.")
    ] = False,
) -> None:
    """Remove a finished or paused job from the list; its run folder stays unless --files is given."""
    import shutil

    from srqueue.errors import UsageError
    from srqueue.queue.client import Client

    client = Client()
    before = client.get(job)
    if not before.state.final and before.state != "paused":
        raise UsageError(
            f"{before.name} is {before.state}", hint=f"end it first: srqueue cancel {before.short_id}"
        )
    record = client.remove(before.id)
    print(f"{record.name} {record.id}: removed")
    _in_the_remote_folder(record, client.settings, files)
    if not record.run_dir:
        return
    if not files:
        _mark(record, client.settings)
        print(f"its files stay: {record.run_dir}")
    elif _is_ours(record, client.settings):
        shutil.rmtree(record.run_dir)
        print(f"deleted {record.run_dir}")
    else:
        print(f"its files are not on this machine: {record.run_dir}")


def _in_the_remote_folder(record: JobRecord, settings: Settings, files: bool) -> None:
    """The same for what is uploaded; a store that does not answer keeps it."""
    from srqueue.cli.output import say
    from srqueue.errors import SrqueueError
    from srqueue.remote.folder import RemoteFolder
    from srqueue.remote.removing import delete_job, mark_removed

    if not settings.remote or record.remote_seq is None:
        return
    try:
        remote = RemoteFolder.open(settings.remote)
        if files:
            print(f"deleted {delete_job(remote, record.id)} objects in {settings.remote}")
        else:
            mark_removed(remote, record.id)
            print(f"what is uploaded stays in {settings.remote}")
    except SrqueueError as error:
        say(f"what is uploaded stays: {error.message}")


def _mark(record: JobRecord, settings: Settings) -> None:
    """So that `srqueue recover` does not bring it back."""
    import contextlib
    from pathlib import Path

    from srqueue.run.folder import RunDir

    if _is_ours(record, settings):
        with contextlib.suppress(OSError):
            RunDir(Path(str(record.run_dir))).removed_file.touch()


def _is_ours(record: JobRecord, settings: Settings) -> bool:
    """True where the folder lies in this machine's runs root under the job's id: nothing else is deleted."""
    from pathlib import Path

    folder = Path(record.run_dir or "")
    expected = settings.runs_root / record.id
    return folder.is_dir() and not folder.is_symlink() and folder.resolve() == expected.resolve()
