"""The audit trail: every act of a user on jobs, campaigns and workers, as a bounded stream in Redis.

An act that is one script is noted by that script (`note_act` in epilogue.lua): neither is there without the
other. Of an act of several steps the note comes first. Who can write to Redis can change the trail as well:
where that matters, SRQUEUE_AUDIT_LOG has it in a file or in syslog, too.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from srqueue.settings import Settings
from srqueue.store.acting import actor, is_noted, name_of
from srqueue.store.connection import Connection

log = logging.getLogger(__name__)

KEPT = 10_000
"""Entries, and some hundred more: the oldest go."""
_A_PAGE = 500
_LONGEST = 200


@dataclass(frozen=True)
class Entry:
    """One act. `what`: a job (its id and name), a campaign, a worker; `when`: UTC s of the Redis server."""

    id: str
    when: float
    who: str
    origin: str
    address: str
    act: str
    what: str
    result: str


class Audit:
    """Raises ServiceUnreachable where Redis does not answer."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def note(self, act: str, what: str, result: str = "") -> None:
        """Notes an act of several steps, before the first of them; nothing within `one_act`."""
        if not is_noted():
            return
        fields = {**_who(), "act": name_of(act), "what": what[:_LONGEST], "result": result[:_LONGEST]}
        with self.connection.reach() as client:
            client.xadd(self.connection.keys.audit, fields, maxlen=KEPT, approximate=True)
        write_beside(self.connection.settings, fields)

    def newest(self, since: float | None = None) -> Iterator[Entry]:
        """The newest first, as far as they are kept. `since`: UTC s."""
        end, first = "+", "-" if since is None else f"{int(since * 1000)}-0"
        while True:
            with self.connection.reach() as client:
                some = client.xrevrange(self.connection.keys.audit, end, first, count=_A_PAGE)
            yield from (_entry(one, fields) for one, fields in some)
            if len(some) < _A_PAGE:
                return
            end = f"({some[-1][0]}"


def note_of(act: str, job_id: str = "", more: str = "") -> str:
    """What a script is told of the act that it is: JSON for `note_act`; empty within `one_act`."""
    if not is_noted():
        return ""
    return json.dumps({**_who(), "act": name_of(act), "job": job_id, "more": more, "kept": KEPT})


def beside(note: str) -> dict[str, str]:
    """The same for `write_beside`: a script alone knows what came of it."""
    told = json.loads(note)
    fields = {key: told[key] for key in ("who", "origin", "address", "act")}
    return {**fields, "what": f"{told['job']}{told['more']}".strip(), "result": ""}


def write_beside(settings: Settings, fields: dict[str, str]) -> None:
    """One line of JSON to SRQUEUE_AUDIT_LOG. That it cannot be written is told, and stops no act."""
    if not settings.audit_log:
        return
    line = json.dumps({"when": round(time.time(), 3), **fields})
    try:
        if settings.audit_log == "syslog":
            import syslog

            syslog.openlog("srqueue", 0, syslog.LOG_AUTHPRIV)
            syslog.syslog(syslog.LOG_NOTICE, line)
            return
        # O_APPEND: lines of several processes do not mix.
        file = os.open(settings.audit_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.closing(os.fdopen(file, "wb", buffering=0)) as sink:
            sink.write(line.encode() + b"\n")
    except OSError as error:
        log.warning("an act is not in %s: %s", settings.audit_log, error.strerror or error)


def _who() -> dict[str, str]:
    now = actor()
    return {"who": now.who[:_LONGEST], "origin": now.origin, "address": now.address}


def _entry(one: str, fields: dict[str, str]) -> Entry:
    known = {key: fields.get(key, "") for key in Entry.__dataclass_fields__ if key not in ("id", "when")}
    return Entry(id=one, when=int(one.partition("-")[0]) / 1000, **known)


def as_mapping(entry: Entry) -> dict[str, object]:
    """For JSON."""
    return asdict(entry)
