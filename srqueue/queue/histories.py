"""What the store knows of runs that tell something of others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from srqueue.forecast.earlier import Earlier, Ended
from srqueue.queue.ends import cut
from srqueue.run.reasons import JobState
from srqueue.spec.job import JobSpec
from srqueue.store.record import JobRecord
from srqueue.store.store import Store

_MOST = 400
_TELLING = (JobState.SUCCEEDED, JobState.CANCELLED, JobState.FAILED)


def earlier_runs(store: Store, most: int = _MOST) -> Earlier:
    """The newest runs of the store, those that run first. Raises ServiceUnreachable."""
    running = store.list([JobState.RUNNING], most)
    return Earlier.of(ended([*running, *store.list(_TELLING, most)]))


def ended(records: Iterable[JobRecord]) -> Iterator[Ended]:
    """What records tell; one of another version's spec tells nothing. What a rule or a budget cut short says
    nothing of how good its kind becomes."""
    for record in records:
        try:
            spec = JobSpec.model_validate(record.spec)
        except ValidationError:
            continue
        done, progress = record.state is JobState.SUCCEEDED and not cut(record), record.progress
        device = progress.get("device")
        yield Ended(
            f"{record.name} {record.short_id}", spec, record.iteration or record.total_iter,
            it_s=_positive(progress, "it_s"), validation_s=_positive(progress, "validation_s"),
            psnr=_positive(record.metrics, "best/psnr") if done else None,
            ssim=_positive(record.metrics, "best/ssim") if done else None,
            device=str(device or ""), cuda=None if device is None else "cuda" in progress,
        )  # fmt: skip


def _positive(values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    return float(value) if isinstance(value, int | float) and value > 0 else None
