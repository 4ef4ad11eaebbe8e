"""`srqueue pull`: model and report of a job that other machines have trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srqueue.cli.options import AsJson

if TYPE_CHECKING:
    from srqueue.settings import Settings


def pull(
    job: Annotated[str, typer.Argument(metavar="JOB", help="Name or id.")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FOLDER", help="Where; without it ./NAME-ID.")
    ] = None,
    remote: Annotated[
        str | None, typer.Option("--remote", metavar="URL", help="Without it SRQUEUE_REMOTE.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring the model, its pictures and the report of a job from the remote folder.

    Each file is verified by its SHA-256; a transfer that broke off goes on where it was. A whole id (26
    characters) needs no Redis.
    """
    from srqueue.cli.output import print_json, say
    from srqueue.counting import counted
    from srqueue.errors import UsageError
    from srqueue.remote.folder import RemoteFolder
    from srqueue.remote.pulling import pull as bring
    from srqueue.remote.url import parse_remote
    from srqueue.settings import load_settings

    settings = load_settings()
    url = parse_remote(remote, "--remote") if remote else settings.remote
    if not url:
        raise UsageError(
            "this machine has no remote folder", where="SRQUEUE_REMOTE", hint="--remote s3://bucket/prefix"
        )
    job_id, name = _job(settings, job)
    folder = to or Path(f"{name}-{job_id[-6:].lower()}")
    files = bring(RemoteFolder.open(url), job_id, folder)
    if as_json:
        print_json({"job": job_id, "folder": str(folder.absolute()), "files": [str(f) for f in files]})
        return
    print(f"{counted(len(files), 'file')} in {folder}")
    for model in sorted(f for f in files if f.suffix == ".safetensors"):
        say(f"the model: {model}")


def _job(settings: Settings, job: str) -> tuple[str, str]:
    """(id, name); Redis is only asked where the id is not given whole."""
    from srqueue.store.store import Store

    if len(job) == 26 and job.isalnum() and job.upper() == job:
        return job, "job"
    store = Store.connect(settings)
    record = store.get(store.resolve(job))
    return record.id, record.name
