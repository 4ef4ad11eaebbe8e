"""How good the jobs are that a spec's stop rules are to be better than."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from srqueue.spec.job import JobSpec
from srqueue.spec.stop_rules import ReachRule
from srqueue.store.record import JobRecord
from srqueue.store.store import Store

_ENDED = {
    "val/psnr": "best/psnr", "val/ssim": "best/ssim", "val/psnr_rgb": "best/psnr_rgb",
    "train/loss": "train/loss",
}  # fmt: skip
"""Metric of a rule -> its key among the figures that an ended job has left."""


def targets_of(store: Store, spec: JobSpec) -> dict[str, dict[str, float]]:
    """Job id -> metric -> best value. Of a job that runs only PSNR is known; the rest is left out."""
    wanted = {rule.job for rule in spec.stop if isinstance(rule, ReachRule) and rule.job}
    return {record.id: best_of(record) for record in store.many(sorted(wanted))} if wanted else {}


def best_of(record: JobRecord) -> dict[str, float]:
    """The best values that are known of a job."""
    found = {metric: _number(record.metrics, key) for metric, key in _ENDED.items()}
    if found["val/psnr"] is None:
        found["val/psnr"] = _number(record.progress, "best_psnr")
    return {metric: value for metric, value in found.items() if value is not None}


def _number(figures: Mapping[str, Any], key: str) -> float | None:
    value = figures.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
