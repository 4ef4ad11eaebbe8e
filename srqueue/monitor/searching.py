"""Jobs by a piece of their name or the end of their id, by the store's indexes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest

from srqueue.run.reasons import JobState
from srqueue.store import names
from srqueue.store.store import Store

MOST_NAMES = 500
MOST_JOBS = 5000
_LEAST_SUFFIX, _LONGEST = 4, 64
_NAMES_A_CALL = 5000
_MOST_SUFFIXES = 50


@dataclass(frozen=True)
class Matches:
    """Ids, newest first, and how many are in each state; `more`: there are others that were left out."""

    ids: tuple[str, ...]
    counts: dict[JobState, int]
    more: bool


def search(store: Store, text: str, states: Sequence[JobState], campaign: str | None) -> Matches:
    """Jobs whose name holds `text`, whatever its case, or whose id ends with it.

    Of more than MOST_NAMES names, or MOST_JOBS jobs, some are left out. `counts` are of all states.
    """
    text = text.strip()[:_LONGEST]
    called, more = names.names_with(store.connection, text, MOST_NAMES, _NAMES_A_CALL)
    scored = dict(names.ids_of_names(store.connection, called, MOST_JOBS + 1))
    if len(text) >= _LEAST_SUFFIX and text.isascii() and text.isalnum():
        scored |= dict.fromkeys(store.ending_with(text, _MOST_SUFFIXES), float("inf"))
    found = nlargest(MOST_JOBS + 1, scored, key=lambda i: (scored[i], i))
    more = more or len(found) > MOST_JOBS
    by_state = names.states_of(store.connection, found[:MOST_JOBS], campaign)
    counts = dict.fromkeys(JobState, 0)
    for state in by_state.values():
        counts[state] += 1
    ids = tuple(i for i, state in by_state.items() if not states or state in states)
    return Matches(ids, counts, more)
