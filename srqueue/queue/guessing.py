"""The GPU memory that a new job is taken to need where nobody said: what a job of its kind took before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from srqueue.forecast.kinds import memory_kind
from srqueue.queue.kept_speeds import KeptSpeeds
from srqueue.spec.job import JobSpec
from srqueue.store.known_memory import KnownMemory
from srqueue.store.new import NewJob
from srqueue.store.offers import CONTEXT, coarse
from srqueue.store.store import Store


def with_guesses(store: Store, pairs: Sequence[tuple[NewJob, JobSpec]]) -> list[NewJob]:
    """The jobs with what earlier ones of their kinds took, or else a measurement on this machine.

    Both are rounded up, and hold what CUDA takes itself. A guess chooses among workers; where none has so
    much it is let go of (loosen.lua). Raises ServiceUnreachable.
    """
    open_ = [
        job.needs.gpu_memory is None and job.device_class != "cpu" and spec.compute.device != "cpu"
        for job, spec in pairs
    ]
    kinds = [memory_kind(spec) if asks else "" for asks, (_, spec) in zip(open_, pairs, strict=True)]
    known = KnownMemory(store.connection).of({kind for kind in kinds if kind})
    kept = KeptSpeeds(store.connection.settings)

    def guess(kind: str, spec: JobSpec) -> int:
        if not kind or kind in known:
            return known.get(kind, 0)
        peak = kept.peak(spec)
        return 0 if peak is None else coarse(peak + CONTEXT)

    return [replace(job, guess=guess(kind, spec)) for kind, (job, spec) in zip(kinds, pairs, strict=True)]
