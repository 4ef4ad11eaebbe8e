"""The version of what lies in Redis, and which versions of srqueue work together.

Each record of a job and each announcement of a worker carries `schema`, the version that wrote it (1 where it
says none); <prefix>:schema is the newest that has ever written. Versions that differ by one work together, in
any roles: producers, workers and records. So a release may add fields and scripts, and give old ones a new
meaning only where the version before it does no harm with them; what it takes away must not be read by the
version before. Where they differ by more, whoever comes second is refused, with what to do.
"""

from __future__ import annotations

from srqueue.errors import ConflictError

SCHEMA = 2
"""2: records say so, and scripts look whether the queue has moved. Raised in lua/prelude.lua as well."""
APART = 1
"""By how much two may differ."""


class SchemaTooFar(ConflictError):
    """The queue is of a version of srqueue that this one cannot work with."""


def check_schema(written: str | None, where: str) -> None:
    """Raises SchemaTooFar where what is in Redis was written by a version too new or too old for this one."""
    there = int(written or 1)
    if abs(there - SCHEMA) <= APART:
        return
    least, most = max(1, SCHEMA - APART), SCHEMA + APART
    if there > SCHEMA:
        hint = "upgrade srqueue on this machine"
    else:
        hint = f"first let a version of schema {there + APART} work on it: upgrade one version at a time"
    raise SchemaTooFar(
        f"this queue was written by a srqueue of schema {there}; this one is of {SCHEMA} and works with"
        f" {least} to {most}",
        where=where, hint=hint,
    )  # fmt: skip
