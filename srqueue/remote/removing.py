"""A job that is removed from the queue: what becomes of its objects in the remote folder."""

from __future__ import annotations

from srqueue.remote.folder import RemoteFolder
from srqueue.remote.layout import MANIFEST, RESULTS, JobNames


def mark_removed(remote: RemoteFolder, job_id: str) -> None:
    """They stay, and nobody recovers the job from them. Raises RemoteUnreachable."""
    remote.write(JobNames(job_id).removed, b"")


def delete_job(remote: RemoteFolder, job_id: str) -> int:
    """Deletes all of them; how many there were. Raises RemoteUnreachable: the same call goes on.

    Manifests and lists go first, so that what is left of a call that broke off is nothing whole.
    """
    mark_removed(remote, job_id)
    found = sorted(
        remote.names(JobNames(job_id).folder), key=lambda name: not name.endswith((MANIFEST, RESULTS))
    )
    mark = JobNames(job_id).removed
    remote.remove([name for name in found if name != mark])
    remote.remove([mark])
    return len(found) - 1
