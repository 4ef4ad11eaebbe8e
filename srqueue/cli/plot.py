"""A curve as a plot of text, by plotext."""

from __future__ import annotations

import importlib.util

from srqueue.curves import History
from srqueue.errors import UsageError


def check_plot() -> None:
    """Raises UsageError where what draws is not installed."""
    if importlib.util.find_spec("plotext") is None:
        raise UsageError(
            "the library that draws curves in a terminal is not installed",
            where="--plot",
            hint="pip install -c constraints.txt '.[plot]'",
        )


def plot(found: History, width: int, height: int) -> str:
    """PSNR over iterations, with what interpolation reaches as a level; the loss where nothing was validated.

    Plain text without colours; empty while there are no two points.
    """
    metric = "val/psnr" if "val/psnr" in found.curves else "loss"
    curve = found.curves.get(metric)
    if curve is None or len(curve.it) < 2:
        return ""
    import plotext

    figure = plotext.figure
    figure.clear()
    figure.plot_size(max(width, 30), max(height, 8))
    unit = 1000 if curve.it[-1] >= 1000 else 1  # the ticks of large numbers would be powers of ten
    figure.draw(figure.signal([it / unit for it in curve.it], curve.values, marker="braille").lines())
    base = found.curves.get("bicubic/psnr") if metric == "val/psnr" else None
    if base is not None and base.last is not None:
        figure.line(base.last)
    what = "thousands of iterations" if unit > 1 else "iterations"
    figure.title(f"{_TITLES[metric]} over {what}" + (", level: bicubic" if base else ""))
    text = str(plotext.uncolorize(str(figure.build())))
    return "\n".join(line.rstrip() for line in text.splitlines())


_TITLES = {"val/psnr": "PSNR (dB)", "loss": "loss"}
