"""Preemption: ready jobs of a higher priority ask running ones to save, end and give way."""

from __future__ import annotations

from dataclasses import dataclass

from srqueue.settings import Settings
from srqueue.store.connection import Connection

_HEADS = 8
"""Jobs of each ready set that are looked at: there are hardly more workers that could be freed at a time."""


@dataclass(frozen=True)
class Preemption:
    """`job_id`, which is ready, asked `victim_id`, which runs, to give way."""

    job_id: str
    victim_id: str


def preempt(connection: Connection, settings: Settings) -> tuple[Preemption, ...]:
    """Asks once, where somebody has to be asked; nothing is asked where `settings` switch it off.

    Each ready job asks one running job at a time. That one's worker reads it at the next renewal.
    """
    if not settings.preempt:
        return ()
    asks = connection.run(
        "preempt", settings.preempt_wait, settings.preempt_run, settings.preempt_budget, _HEADS
    )
    return tuple(Preemption(*pair) for pair in zip(asks[::2], asks[1::2], strict=True))
