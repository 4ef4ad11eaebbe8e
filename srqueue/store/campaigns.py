"""Records of campaigns that came from files, and their held cells."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from srqueue.errors import UsageError, did_you_mean
from srqueue.run.reasons import JobState
from srqueue.store.connection import Connection, compact
from srqueue.store.quotas import over_quota
from srqueue.store.record import Bell
from srqueue.store.signing import Keyring

CampaignState = Literal["submitting", "active", "paused", "stopped", "cancelled", "ended"]
"""submitting: not all of its cells are queued yet; only an active one lets cells begin."""

SIGNATURE = "signature"
"""Field of a record: of who submitted it, see signing.py."""
VAIN = "vain"
"""Field of a record: see `CampaignRecord.in_vain`."""
_A_CALL = 500
_RELEASED_A_CALL = 200
_LOOKED_AT = 200


@dataclass(frozen=True, kw_only=True)
class CampaignRecord:
    """One campaign as it stood when it was read. Times are UTC seconds."""

    name: str
    spec: dict[str, Any]  # CampaignSpec, as JSON
    state: CampaignState
    file: str = ""  # <host>:<absolute path> that it was submitted from
    cells: int = 0  # of the file
    created: float = 0.0
    updated: float = 0.0
    ended: float | None = None
    message: str = ""
    spent_s: float = 0.0  # what its ended attempts took, all together
    more: Mapping[str, str] = field(default_factory=dict)  # fields that other modules keep here

    @property
    def max_parallel(self) -> int | None:
        """How many of its jobs may wait or run at a time."""
        most = self.spec.get("max_parallel")
        return most if isinstance(most, int) else None

    @property
    def in_vain(self) -> bool:
        """Whether nothing of it can begin, since what its held cells wait for did not succeed."""
        return bool(self.more.get(VAIN))

    @classmethod
    def from_hash(cls, raw: Mapping[str, str]) -> CampaignRecord:
        """Reads a record's hash."""
        values = {k: _READ.get(k, str)(v) for k, v in raw.items() if k in _FIELDS and v != ""}
        return cls(**values, more={k: v for k, v in raw.items() if k not in _FIELDS})


_READ: dict[str, Any] = {
    "spec": json.loads,
    "cells": int,
    **dict.fromkeys(("created", "updated", "ended", "spent_s"), float),
}
_SAID = "spec"
"""Field without which a record is none: what was written after the campaign had been removed."""
_FIELDS = tuple(name for name in CampaignRecord.__dataclass_fields__ if name != "more")


@dataclass(frozen=True)
class StoredCell:
    """What a campaign says of one of its jobs."""

    job_id: str
    stage: str
    axes: dict[str, Any]
    trial: int | None = None  # its number, where it was drawn while the campaign ran


class Campaigns:
    """The campaigns from files. Raises ServiceUnreachable where Redis does not answer."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.keys = connection.keys
        self.keyring = Keyring.of(connection.settings)

    def get(self, name: str) -> CampaignRecord:
        """The record. Raises UsageError where no campaign of that name came from a file."""
        found = self.find(name)
        if found is None:
            with self.connection.reach() as client:
                names = client.zrange(self.keys.campaign_files, 0, -1)
            raise UsageError(
                f"there is no campaign {name!r} that came from a file",
                hint=did_you_mean(name, names) if names else "queue one: srqueue campaign submit FILE",
            )
        return found

    def find(self, name: str) -> CampaignRecord | None:
        """The record, or None."""
        with self.connection.reach() as client:
            raw = client.hgetall(self._key(name, "record"))
        return CampaignRecord.from_hash(raw) if _SAID in raw else None

    def newest(self, limit: int = 50, offset: int = 0) -> tuple[CampaignRecord, ...]:
        """Records, the last submitted first."""
        with self.connection.reach() as client:
            names = client.zrevrange(self.keys.campaign_files, offset, offset + limit - 1)
        return self._records(names)

    def open(self) -> tuple[CampaignRecord, ...]:
        """Those that have not ended."""
        with self.connection.reach() as client:
            return self._records(sorted(client.smembers(self.keys.open_campaigns)))

    def cells(self, name: str) -> tuple[StoredCell, ...]:
        """The cells that its file has, in no order."""
        with self.connection.reach() as client:
            raw = client.hgetall(self._key(name, "cells"))
        return tuple(StoredCell(i, **json.loads(text)) for i, text in raw.items())

    # What `campaign submit` does.

    def begin(self, name: str, spec: Mapping[str, Any], file: str) -> None:
        """The record of a campaign whose cells are about to be queued."""
        now = f"{time.time():.3f}"
        with self.connection.reach() as client:
            new = client.hsetnx(self._key(name, "record"), "created", now)
            client.hset(
                self._key(name, "record"),
                mapping={
                    "name": name, "spec": compact(spec), "file": file, "state": "submitting",
                    "message": "", "updated": now, "ended": "",
                    SIGNATURE: self.keyring.sign_campaign(name, json.loads(compact(spec))),
                },
            )  # fmt: skip
            if any(
                (stage.get("search") or {}).get("method", "none") != "none"
                for stage in spec["stages"].values()
            ):
                client.hincrby(self._key(name, "record"), "moved", 1)  # its jobs are looked at
            else:
                client.hdel(self._key(name, "record"), "moved", "looked")
            client.zadd(self.keys.campaign_files, {name: float(now)})
            client.sadd(self.keys.open_campaigns, name)
            if new:
                self._take_over_spending(client, name)

    def _take_over_spending(self, client: Any, name: str) -> None:
        """What its jobs have taken already: they came back (`srqueue recover`) before their campaign did."""
        pipeline = client.pipeline(transaction=False)
        for job_id in client.zrange(self.keys.campaign(name), 0, -1):
            pipeline.hmget(self.keys.job(job_id), "spent_s", "spent_kwh")
        rows = pipeline.execute()
        for place, what in enumerate(("spent_s", "spent_kwh")):
            if total := sum(float(row[place] or 0.0) for row in rows):
                client.hincrbyfloat(self._key(name, "record"), what, total)

    def forget_cells(self, name: str, stages: Sequence[str]) -> None:
        """Its cells are about to be said anew."""
        self.connection.run("cells", name, "begin", len(stages), *stages)

    def all_cells_said(self, name: str, stages: Sequence[str]) -> None:
        """Who waits for a stage that has ended is to be looked at."""
        self.connection.run("cells", name, "end", len(stages), *stages)

    def put_cells(self, name: str, cells: Iterable[StoredCell]) -> None:
        """What the file says of jobs that are there."""
        for some in _parts(cells):
            flat = [part for c in some for part in (c.job_id, _cell_text(c))]
            self.connection.run("cells", name, "more", 0, *flat)

    def set(self, name: str, **fields: str | float | int) -> None:
        """Changes fields of the record; nothing where it was removed meanwhile."""
        written = {**fields, "updated": f"{time.time():.3f}"}
        flat = [str(part) for pair in written.items() for part in pair]
        self.connection.run("set_campaign", name, fields.get("state", ""), *flat)

    # What happens by itself.

    def waits_in_vain(self, name: str) -> bool:
        """Whether no held cell may begin or is to be looked at, and none is held for another reason."""
        with self.connection.reach() as client:
            pipeline = client.pipeline(transaction=False)
            pipeline.zcard(self._key(name, "free"))
            pipeline.scard(self._key(name, "due"))
            pipeline.zrange(self.keys.campaign(name, JobState.HELD), 0, _LOOKED_AT - 1)
            free, due, ids = pipeline.execute()
            for job_id in ids:
                pipeline.hget(self.keys.job(job_id), "held_by")
            return not free and not due and all(pipeline.execute())

    def stop_told(self, name: str) -> bool:
        """It was stopped, or waits in vain, and nothing runs; whether the caller is the first to note it."""
        return bool(self.connection.run("stop_told", name)[0])

    def end(self, name: str) -> bool:
        """All of its cells have ended; whether the caller is the first to note it."""
        return bool(self.connection.run("end_campaign", name)[0])

    def due(self, name: str, most: int = _A_CALL) -> tuple[tuple[str, ...], str]:
        """Held cells to be looked at, since one that they wait for has ended; and `woken`, for `admit`."""
        with self.connection.reach() as client:
            woken = client.hget(self._key(name, "record"), "woken")  # before anything else is read
            return tuple(client.srandmember(self._key(name, "due"), most)), str(woken or "")

    def standing(self, name: str, stages: Iterable[str]) -> dict[str, tuple[int, int]]:
        """(cells that have not ended, cells that succeeded) of stages."""
        asked = list(stages)
        with self.connection.reach() as client:
            pipeline = client.pipeline(transaction=False)
            for stage in asked:
                pipeline.scard(self._key(name, f"open:{stage}"))
                pipeline.hget(self._key(name, "won"), stage)
            answers = pipeline.execute()
        pairs = zip(asked, answers[::2], answers[1::2], strict=True)
        return {stage: (int(still), int(won or 0)) for stage, still, won in pairs}

    def admit(self, name: str, woken: str, verdicts: Iterable[tuple[str, bool, str]]) -> None:
        """For held cells that were looked at: id, whether it may begin, and what is to be said of it.

        `woken`: of `due`. Where something has ended since, those that may not begin are looked at again.
        """
        for some in _parts(verdicts):
            flat = [part for i, may, text in some for part in (i, int(may), text)]
            self.connection.run("admit", name, woken, *flat)

    def release(self, name: str, most: int | None) -> list[Bell]:
        """Queues cells that may begin, while fewer than `most` jobs of the campaign wait or run."""
        flat = self.connection.run("release", name, "" if most is None else most, _RELEASED_A_CALL)
        return [Bell(*pair) for pair in zip(flat[::2], flat[1::2], strict=True)]

    def conclude(self, name: str, ids: Iterable[str], message: str) -> Sequence[Bell]:
        """Its budget is spent: what runs is to end with its best weights, what is queued not to begin."""
        flat = [
            part for some in _parts(ids) for part in self.connection.run("conclude", name, message, *some)
        ]
        return [Bell(*pair) for pair in zip(flat[::2], flat[1::2], strict=True)]

    def hold_again(self, name: str, ids: Iterable[str]) -> int:
        """Failed and cancelled cells are to begin once more, as the campaign allows; how many there were.

        Raises UsageError where a user would have more queued or held than his quota.
        """
        held = 0
        for some in _parts(ids):
            answer = self.connection.run("rehold", name, *some)
            if answer[:1] == ["over"]:
                raise over_quota(answer, held)
            held += len(answer)
        return held

    def leave(self, name: str, ids: Iterable[str]) -> None:
        """Jobs are of this campaign no more; they stay."""
        for some in _parts(ids):
            self.connection.run("leave", name, *some)

    def note_paused(self, name: str, ids: Sequence[str]) -> None:
        """Which jobs were paused because the campaign was."""
        if ids:
            with self.connection.reach() as client:
                client.sadd(self._key(name, "paused-with"), *ids)

    def take_paused(self, name: str) -> tuple[str, ...]:
        """Those, and forgets it."""
        with self.connection.reach() as client:
            pipeline = client.pipeline()
            pipeline.smembers(self._key(name, "paused-with"))
            pipeline.delete(self._key(name, "paused-with"))
            return tuple(sorted(pipeline.execute()[0]))

    def free(self, name: str) -> int:
        """How many held cells may begin as soon as there is room."""
        with self.connection.reach() as client:
            return int(client.zcard(self._key(name, "free")))

    def counts(self, name: str) -> dict[JobState, int]:
        """How many of its jobs are in each state."""
        with self.connection.reach() as client:
            pipeline = client.pipeline(transaction=False)
            for state in JobState:
                pipeline.zcard(self.keys.campaign(name, state))
            return dict(zip(JobState, map(int, pipeline.execute()), strict=True))

    def ids(self, name: str, states: Iterable[JobState]) -> Iterator[str]:
        """Its jobs in these states as they are now, oldest first."""
        with self.connection.reach() as client:
            for state in states:
                yield from client.zrange(self.keys.campaign(name, state), 0, -1)

    def forget(self, name: str) -> None:
        """The record is gone, and its jobs are of no campaign of this name; they stay."""
        record = self.find(name)
        with self.connection.reach() as client:
            ids = client.zrange(self.keys.campaign(name), 0, -1)
        self.leave(name, ids)
        with self.connection.reach() as client:
            stages = record.spec.get("stages", {}) if record else {}
            parts = [
                "record",
                "cells",
                "won",
                "free",
                "due",
                "paused-with",
                "stopped",
                *(f"open:{s}" for s in stages),
            ]
            client.delete(*(self._key(name, part) for part in parts))
            client.zrem(self.keys.campaign_files, name)
            client.srem(self.keys.open_campaigns, name)

    def _key(self, name: str, part: str) -> str:
        return self.keys.campaign(name, part)

    def _records(self, names: Iterable[str]) -> tuple[CampaignRecord, ...]:
        with self.connection.reach() as client:
            pipeline = client.pipeline(transaction=False)
            for name in names:
                pipeline.hgetall(self._key(name, "record"))
            return tuple(CampaignRecord.from_hash(raw) for raw in pipeline.execute() if _SAID in raw)


def _cell_text(cell: StoredCell) -> str:
    drawn = {} if cell.trial is None else {"trial": cell.trial}
    return compact({"stage": cell.stage, "axes": cell.axes, **drawn})


def _parts(items: Iterable[Any]) -> Iterator[list[Any]]:
    left = iter(items)
    while part := list(islice(left, _A_CALL)):
        yield part
