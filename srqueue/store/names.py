"""Finding jobs by a piece of their name, and what many ids are, in few round trips."""

from __future__ import annotations

from collections.abc import Sequence

from srqueue.run.reasons import JobState
from srqueue.store.connection import Connection


def names_with(connection: Connection, text: str, most: int, a_call: int) -> tuple[list[str], bool]:
    """Names of jobs that hold `text`, whatever its case, and whether there may be more than these `most`.

    The server looks through its list of names, some thousands a call, and sends only what matches.
    """
    found: dict[str, None] = {}
    cursor, pattern = 0, f"*{_literally(text)}*"
    while True:
        with connection.reach() as client:
            cursor, part = client.zscan(connection.keys.names, cursor, match=pattern, count=a_call)
        found |= dict.fromkeys(name for name, _ in part)
        if len(found) > most or not int(cursor):
            return list(found)[:most], len(found) > most


def ids_of_names(connection: Connection, names: Sequence[str], most: int) -> list[tuple[str, float]]:
    """(id, when it was created) of the newest `most` jobs of each name."""
    with connection.reach() as client:
        pipeline = client.pipeline(transaction=False)
        for name in names:
            pipeline.zrevrange(connection.keys.name(name), 0, most - 1, withscores=True)
        return [(str(i), float(score)) for part in pipeline.execute() for i, score in part]


def states_of(connection: Connection, ids: Sequence[str], campaign: str | None) -> dict[str, JobState]:
    """The state of each job that is there, in the order of `ids`; with a campaign only of those in it."""
    with connection.reach() as client:
        pipeline = client.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hmget(connection.keys.job(job_id), "state", "campaigns")
        rows = zip(ids, pipeline.execute(), strict=True)
    return {
        i: JobState(state)
        for i, (state, campaigns) in rows
        if state and (campaign is None or campaign in (campaigns or "").split(","))
    }


def _literally(text: str) -> str:
    """A pattern of Redis that means the text itself, in any case."""
    return "".join(f"[{c.lower()}{c.upper()}]" if _has_cases(c) else _plain(c) for c in text)


def _has_cases(letter: str) -> bool:
    return letter.isascii() and letter.isalpha()


def _plain(letter: str) -> str:
    return f"\\{letter}" if letter in "*?[]^-\\" else letter
