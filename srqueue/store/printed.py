"""What the trainers of a job printed: the newest lines, for whoever looks on from another machine."""

from __future__ import annotations

from srqueue.store.connection import Connection

LINES_KEPT = 200
BYTES_KEPT = 65536
SECONDS_KEPT = 7 * 86400
JOBS_KEPT = 1000
"""Those that printed last: the run folder has all of it."""


def printed_lines(connection: Connection, job_id: str, after: str = "0-0") -> tuple[tuple[str, str], ...]:
    """(position, line) of what is kept behind `after`, oldest first; a line is `t<token> <text>`."""
    with connection.reach() as client:
        start = "-" if after == "0-0" else f"({after}"
        entries = client.xrange(connection.keys.log(job_id), start, "+")
    return tuple((position, fields["line"]) for position, fields in entries)
