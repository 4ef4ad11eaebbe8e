"""What a search asks and changes: jobs at their rungs, and what they reached there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from srqueue.run.reasons import JobState, StopReason
from srqueue.store.connection import Connection, compact
from srqueue.store.record import Bell

_A_CALL = 500
_FIELDS = ("state", "reason", "until", "stopped", "iteration", "total_iter", "metrics", "name")


@dataclass(frozen=True)
class Contender:
    """A job of a search as it stood when it was read. `at`: metrics by iteration, of its rungs."""

    id: str
    name: str
    state: JobState
    reason: str = ""
    until: int | None = None
    stopped: bool = False
    iteration: int = 0
    total_iter: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)
    at: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    @property
    def at_rung(self) -> bool:
        """Whether it waits at a rung, or was stopped there."""
        return self.state is JobState.PAUSED and self.reason == StopReason.RUNG


class Searches:
    """Raises ServiceUnreachable where Redis does not answer."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.keys = connection.keys

    def contenders(self, ids: Sequence[str]) -> list[Contender]:
        """Jobs in the order of `ids`; those that are gone are left out."""
        with self.connection.reach() as client:
            pipeline = client.pipeline(transaction=False)
            for job_id in ids:
                pipeline.hmget(self.keys.job(job_id), *_FIELDS)
                pipeline.hgetall(self.keys.rungs(job_id))
            answers = pipeline.execute()
        rows = zip(ids, answers[::2], answers[1::2], strict=True)
        return [_contender(i, row, at) for i, row, at in rows if row[0]]

    def note(self, job_id: str, token: int | None, iteration: int, metrics: Mapping[str, Any]) -> None:
        """What a validation at a rung found; nothing where the token is the job's no more.

        Without one it is from the job's history.
        """
        self.connection.run("rung", job_id, "" if token is None else token, iteration, compact(metrics))

    def promote(
        self, campaign: str, most: int | None, chosen: Iterable[tuple[str, int | None]]
    ) -> list[Bell]:
        """Queues jobs that wait at a rung, to train to another (None: the end), as far as there is room."""
        found: list[Bell] = []
        pairs = list(chosen)
        for i in range(0, len(pairs), _A_CALL):
            flat = [
                part
                for job, until in pairs[i : i + _A_CALL]
                for part in (job, "" if until is None else until)
            ]
            bells = self.connection.run("promote", campaign, "" if most is None else most, *flat)
            found += [Bell(*pair) for pair in zip(bells[::2], bells[1::2], strict=True)]
        return found

    def stop(self, campaign: str, chosen: Iterable[tuple[str, int | None, str]]) -> None:
        """(id, the rung that it may train to, why it goes on no more)."""
        rows = [(job_id, until or "", why) for job_id, until, why in chosen]
        for i in range(0, len(rows), _A_CALL):
            flat = [part for row in rows[i : i + _A_CALL] for part in row]
            self.connection.run("stop_at_rung", campaign, *flat)

    def stopped(self, campaign: str) -> int:
        """How many of its jobs were stopped at rungs."""
        with self.connection.reach() as client:
            return int(client.scard(self.keys.campaign(campaign, "stopped")))

    def looked(self, campaign: str, moved: str) -> None:
        """What changed up to `moved` was looked at."""
        with self.connection.reach() as client:
            client.hset(self.keys.campaign(campaign, "record"), "looked", moved)


def _contender(job_id: str, row: Sequence[str | None], at: Mapping[str, str]) -> Contender:
    known = {key: value or "" for key, value in zip(_FIELDS, row, strict=True)}
    return Contender(
        id=job_id,
        name=known["name"],
        state=JobState(known["state"]),
        reason=known["reason"],
        until=int(known["until"]) if known["until"] else None,
        stopped=bool(known["stopped"]),
        iteration=int(known["iteration"] or 0),
        total_iter=int(known["total_iter"] or 0),
        metrics=json.loads(known["metrics"] or "{}"),
        at={int(rung): json.loads(text) for rung, text in at.items()},
    )
