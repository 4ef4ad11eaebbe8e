"""Whether the cells of a search can be compared at its rungs."""

from __future__ import annotations

from collections.abc import Sequence

from srqueue.campaign.search.spec import SearchSpec
from srqueue.spec.job import JobSpec


def problem(search: SearchSpec, spec: JobSpec) -> str | None:
    """What keeps one cell from being compared at the rungs, and what to do about it."""
    total, each = spec.train.total_iter, spec.val.val_freq
    if search.method == "none":
        return None
    if spec.datasets.val is None or not spec.val.val_enabled:
        return "a search compares validations, and this has none; give it a datasets.val"
    rungs = search.rungs_below(total)
    if not rungs:
        return f"no rung lies below its {total:,} iterations; lower the first one, or leave `search` out"
    for rung in rungs:
        if rung % each:
            low, high = rung // each * each, -(-rung // each) * each
            near = f"{high:,}" if not low else f"{low:,} or {high:,}"
            return f"the rung {rung:,} falls between two validations (val.val_freq {each:,}); {near} would do"
    return None


def incomparable(search: SearchSpec, specs: Sequence[JobSpec]) -> str | None:
    """What the cells of a stage differ in though a comparison needs it to be the same."""
    if search.method == "none":
        return None
    looked_at = {
        "train.total_iter": [str(s.train.total_iter) for s in specs],
        "scale": [str(s.scale) for s in specs],
        "datasets.val": [_pictures(s) for s in specs],
    }
    for key, values in looked_at.items():
        if len(set(values)) > 1:
            return (
                f"the cells of a search are compared with each other and differ in {key}; make a stage of "
                "each, or `search: {method: none}`"
            )
    return None


def _pictures(spec: JobSpec) -> str:
    if spec.datasets.val is None:
        return ""
    return spec.datasets.val.identity or spec.datasets.val.name
