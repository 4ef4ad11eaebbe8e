"""Which curves a report draws, and their points."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from srqueue.curves import Curve
from srqueue.report.subject import Subject

MOST_POINTS = 1500
"""Points of a curve in a report; of more, evenly spread ones stay."""
_MOST_MARKS = 400
_MOST_CHECKPOINTS = 60
_DIGITS = 6  # significant: half a pixel of the largest plot is more


@dataclass(frozen=True)
class Plot:
    """One plot: the curves whose key begins with one of `keys`; `base` is drawn as a line to compare with."""

    title: str
    keys: tuple[str, ...]
    base: str = ""
    logarithmic: bool = False


PLOTS = (
    Plot("PSNR on Y", ("val/psnr",), base="bicubic/psnr"),
    Plot("SSIM on Y", ("val/ssim",), base="bicubic/ssim"),
    Plot("Loss", ("loss", "losses/"), logarithmic=True),
    Plot("Learning rate", ("lr",)),
    Plot("Speed", ("it_s",)),
    Plot("CPU", ("cpu",)),
    Plot("Memory", ("rss_mib", "gpu_mib")),
    Plot("GPU in use", ("gpu_util",)),
    Plot("GPU power", ("gpu_watts",)),
    Plot("GPU temperature", ("gpu_celsius",)),
)


def keys_of(plot: Plot, subject: Subject) -> list[str]:
    """The curves of a job that belong into a plot."""
    there = subject.history.curves
    return [
        key
        for wanted in plot.keys
        for key in there
        if there[key].values and (key.startswith(wanted) if wanted.endswith("/") else key == wanted)
    ]


def drawings(subjects: Sequence[Subject]) -> list[dict[str, Any]]:
    """Plots as JSON values; those without a point are left out.

    {title, unit, logarithmic, lines: [{job, name, it, hours, values, base}]}; job: index of the subject.
    """
    return [found for plot in PLOTS if (found := _drawing(plot, subjects))["lines"]]


def marks_of(subject: Subject) -> list[dict[str, Any]]:
    """What happened beside the curves; checkpoints are thinned where they are many."""
    rare = [m for m in subject.history.marks if m.kind != "checkpoint"][-_MOST_MARKS:]
    saved = [m for m in subject.history.marks if m.kind == "checkpoint"]
    saved = [saved[i] for i in spread(len(saved), _MOST_CHECKPOINTS)]
    return [
        {"it": m.it, "hours": _short(m.hours), "kind": m.kind, "text": m.text[:300]}
        for m in sorted(rare + saved, key=lambda m: m.hours)
    ]


def spread(count: int, most: int) -> list[int]:
    """At most so many of the indices below `count`, evenly spread, the last one among them."""
    if count <= most:
        return list(range(count))
    step = (count - 1) / (most - 1)
    return [round(i * step) for i in range(most)]


def _drawing(plot: Plot, subjects: Sequence[Subject]) -> dict[str, Any]:
    lines = [line for index, subject in enumerate(subjects) for line in _lines(plot, index, subject)]
    lines += _bases(plot, subjects)
    unit = next((line.pop("unit") for line in lines if line.get("unit")), "")
    for line in lines:
        line.pop("unit", None)
    positive = all(value is None or value > 0 for line in lines for value in line["values"])
    return {
        "title": plot.title, "unit": unit, "logarithmic": plot.logarithmic and positive, "lines": lines,
    }  # fmt: skip


def _lines(plot: Plot, index: int, subject: Subject) -> Iterator[dict[str, Any]]:
    for key in keys_of(plot, subject):
        yield _line(index, key, subject.history.curves[key], base=False)


def _bases(plot: Plot, subjects: Sequence[Subject]) -> list[dict[str, Any]]:
    """What interpolation reaches: one line for all jobs that were compared with the same."""
    found: dict[float, dict[str, Any]] = {}
    for index, subject in enumerate(subjects):
        curve = subject.history.curves.get(plot.base)
        if curve is not None and curve.last is not None:
            found.setdefault(round(curve.last, 3), _line(index, "bicubic", curve, base=True))
    if len(found) > 1:
        for line in found.values():
            line["name"] = f"bicubic of {subjects[line['job']].label}"
    return list(found.values())


def _line(index: int, name: str, curve: Curve, base: bool) -> dict[str, Any]:
    kept = spread(len(curve.values), MOST_POINTS)
    return {
        "job": index, "name": name, "unit": curve.unit, "base": base,
        "it": [curve.it[i] for i in kept],
        "hours": [_short(curve.hours[i]) for i in kept],
        "values": [_short(curve.values[i]) for i in kept],
    }  # fmt: skip


def _short(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
