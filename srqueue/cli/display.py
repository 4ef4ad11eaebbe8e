"""The display of one training: lines that stay up to date on a terminal, else a line now and then."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any, Self

from srqueue.cli.curve_lines import Curves
from srqueue.cli.output import printable
from srqueue.cli.plot import plot
from srqueue.cli.progress import Progress, news
from srqueue.run.events import Event

_QUIET = 15.0
"""Seconds after which a line is printed where nothing else asked for one, without a terminal."""
_PLOT_LINES = 14


def on_terminal() -> bool:
    """Whether lines can be drawn anew."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


class Display:
    """Shows a Progress and its curves; with `wants_plot` also PSNR as a plot, elsewhere at the end."""

    def __init__(self, title: str, wants_plot: bool = False) -> None:
        self.progress = Progress()
        self._title = title
        self._curves = Curves()
        self._wants_plot = wants_plot
        self._live: Any = None
        self._last = ("", -1)
        self._said_at = time.monotonic()

    def __enter__(self) -> Self:
        if on_terminal():
            from rich.live import Live

            self._live = Live(self._drawing(), refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.show()
        if self._live is not None:
            self._live.stop()
        elif self._wants_plot and (text := plot(self._curves.history, 100, _PLOT_LINES)):
            print(text, flush=True)

    def say(self, line: str) -> None:
        """Prints a line that stays."""
        if self._live is not None:
            self._live.console.print(printable(line), markup=False, highlight=False)
        else:
            print(printable(line), flush=True)

    def see(self, event: Event, quiet: bool = False) -> None:
        """Takes in one event, and prints it where it is news."""
        self.progress.see_event(event)
        self._curves.see(event)
        if not quiet and (line := news(event)) is not None:
            self.say(line)

    def show(self) -> None:
        """Brings the display up to date."""
        if self._live is not None:
            self._live.update(self._drawing())
            return
        # Training and validating take turns every few seconds: not worth a line each.
        doing = self.progress.doing().replace("validating", "training")
        now, seen = time.monotonic(), (doing, self.progress.validations)
        if seen != self._last or (now - self._said_at > _QUIET and self.progress.state == "running"):
            self._last, self._said_at = seen, now
            parts = [doing, self.progress.steps(), self.progress.quality()]
            print("   ".join(part for part in parts if part), flush=True)

    def _drawing(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        line = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=1.0, completed=self.progress.share, width=30)
        line.add_row(Text(self._title, style="bold"), bar, f"{self.progress.share:4.0%}")
        steps = Text(f"{self.progress.doing()}   {self.progress.steps()}")
        width = self._live.console.width if self._live is not None else 80
        curves = [Text(text) for text in self._curves.lines(min(max(width - 34, 10), 60))]
        drawn = plot(self._curves.history, width - 1, _PLOT_LINES) if self._wants_plot else ""
        below = [Text(drawn)] if drawn else []
        return Group(line, steps, Text(self.progress.quality()), *curves, *below)
