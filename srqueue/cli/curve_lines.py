"""What is shown of a job's curves while it is watched: the newest values, and how they came about."""

from __future__ import annotations

from srqueue.cli.sparkline import evenly, sparkline
from srqueue.curves import History, history
from srqueue.run.events import Event

_MOST = 4000
"""Events that are held; of the older half every second report goes then."""

_SHOWN = (("val/psnr", "PSNR", ".2f"), ("loss", "loss", ".4f"), ("it_s", "it/s", ".1f"))


class Curves:
    """The events of one job, as curves."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._history: History | None = None

    def see(self, event: Event) -> None:
        """Takes in one event, in the order in which they were written."""
        self._events.append(event)
        self._history = None
        if len(self._events) > _MOST:
            half = _MOST // 2
            old = [e for i, e in enumerate(self._events[:half]) if e.kind != "train" or i % 2 == 0]
            self._events = old + self._events[half:]

    @property
    def history(self) -> History:
        """All of them."""
        if self._history is None:
            self._history = history(self._events)
        return self._history

    def lines(self, width: int) -> list[str]:
        """`PSNR  ▁▃▅▇█  29.10 to 31.22 dB`, a line each for what there is more than one value of."""
        found = []
        for metric, name, how in _SHOWN:
            curve = self.history.curves.get(metric)
            if curve is not None and len(curve.values) > 1:
                unit = f" {curve.unit}" if curve.unit == "dB" else ""
                ends = f"{curve.values[0]:{how}} to {curve.values[-1]:{how}}{unit}"
                found.append(
                    f"{name:<5} {sparkline(evenly(curve.it, curve.values, width), width):<{width}}  {ends}"
                )
        return found

    def trend(self, width: int) -> str:
        """PSNR alone."""
        curve = self.history.curves.get("val/psnr")
        return sparkline(evenly(curve.it, curve.values, width), width) if curve else ""
