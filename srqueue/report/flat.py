"""A training as other tools want it: flat values of its config, steps of figures, figures of its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import srqueue
from srqueue.report.subject import Subject
from srqueue.spec.layers import leaves

Step = tuple[int, float, dict[str, float]]


def config(subject: Subject) -> dict[str, Any]:
    """The spec by dotted path, and what identifies the run. There are no secrets in a spec."""
    marks = subject.fingerprints[0] if subject.fingerprints else {}
    return {
        **dict(leaves(subject.spec)),
        "srqueue.job": subject.id,
        "srqueue.spec_id": subject.spec_id,
        "srqueue.version": srqueue.__version__,
        "srqueue.state": subject.state,
        "srqueue.stop_reason": subject.reason,
        **{f"srqueue.{key}": marks[key] for key in ("torch", "device", "precision") if marks.get(key)},
    }


def steps(subject: Subject) -> Iterator[Step]:
    """(iteration, hours, figures by metric key), ascending: one step an iteration."""
    found: dict[int, tuple[float, dict[str, float]]] = {}
    for key, curve in subject.history.curves.items():
        for it, hours, value in zip(curve.it, curve.hours, curve.values, strict=True):
            found.setdefault(it, (hours, {}))[1][key] = value
    for it in sorted(found):
        yield it, *found[it]


def figures(subject: Subject) -> dict[str, float]:
    """What it came to."""
    found = dict(subject.figures)
    for name, value in (("gain_db", subject.gain), ("hours", subject.history.hours)):
        if value is not None:
            found[name] = value
    if subject.energy:
        found["kwh"], found["kwh_estimated"] = subject.energy.kwh, subject.energy.estimated
        if subject.energy.cost is not None:
            found["cost"] = subject.energy.cost
    return found
