"""Curves as one PNG, by matplotlib: no browser is needed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from importlib.util import find_spec

from srqueue.errors import UsageError
from srqueue.report.plots import PLOTS, keys_of
from srqueue.report.subject import Subject

_DRAWN = PLOTS[:4]
"""Quality, loss and rate; the rest is for the HTML."""
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#7f7f7f")


def png(subjects: Sequence[Subject], over: str = "it") -> bytes:
    """The curves of jobs over iterations (`it`) or `hours`.

    Raises UsageError where matplotlib is not installed, or there is nothing to draw yet.
    """
    if find_spec("matplotlib") is None:
        raise UsageError("a PNG needs matplotlib", hint="pip install 'srqueue[plot]'; the HTML needs it not")
    plots = [p for p in _DRAWN if any(keys_of(p, s) for s in subjects)]
    if not plots:
        raise UsageError("there are no figures to draw yet", hint="look again later: srqueue watch JOB")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4 * ((len(plots) + 1) // 2)), layout="constrained")
    FigureCanvasAgg(figure)
    rows, columns = (len(plots) + 1) // 2, min(2, len(plots))
    for place, plot in enumerate(plots, 1):
        axes = figure.add_subplot(rows, columns, place)
        unit = ""
        for index, subject in enumerate(subjects):
            keys = keys_of(plot, subject)
            for key in keys[:1] if len(subjects) > 1 else keys:  # beside others the whole loss alone
                curve = subject.history.curves[key]
                unit = curve.unit or unit
                label = subject.label if len(subjects) > 1 else key
                colour = _COLOURS[index % len(_COLOURS)] if len(subjects) > 1 else None
                x, marker = curve.it if over == "it" else curve.hours, "o" if len(curve.values) == 1 else None
                axes.plot(x, curve.values, label=_literal(label), color=colour, marker=marker)
        _bicubic(axes, plot.base, subjects)
        if plot.logarithmic:
            axes.set_yscale("log")
        axes.set_title(plot.title + (f" ({unit})" if unit else ""))
        axes.set_xlabel("iterations" if over == "it" else "hours of training")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=120)
    return out.getvalue()


def _bicubic(axes: object, key: str, subjects: Sequence[Subject]) -> None:
    """One line for each value that there is."""
    curves = [c for s in subjects if (c := s.history.curves.get(key)) is not None]
    for value in sorted({round(c.last, 4) for c in curves if c.last is not None}):
        axes.axhline(value, color="#7f7f7f", linestyle="--", linewidth=1, label="bicubic")  # type: ignore[attr-defined]


def _literal(text: str) -> str:
    """matplotlib takes what stands between dollars for mathematics, and leaves out what begins with `_`."""
    return text.replace("$", r"\$").lstrip("_") or "-"
