"""Timing what nothing has run yet, before it is forecast: by itself where this machine can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from srqueue.settings import Settings
    from srqueue.spec.job import JobSpec

MOST_UNASKED = 8
"""Kinds of work that are timed by themselves; more take minutes, and are for --calibrate."""


def calibrate(settings: Settings, lacking: Sequence[JobSpec], asked: bool | None, what: str) -> bool:
    """Times the work of specs of which no speed is known; whether anything was measured, which is then kept.

    `asked`: True measures whatever stands against it, False never; `what`: how a command names them.
    """
    from srqueue.cli.output import say
    from srqueue.cli.speeds import timed_speeds
    from srqueue.counting import counted
    from srqueue.forecast.kinds import work_of
    from srqueue.queue.calibrating import Calibrating

    kinds = {work_of(spec): spec for spec in lacking}
    if not kinds or asked is False:
        return False
    chosen = list(kinds.values())
    if asked is None:
        machine = Calibrating(settings)
        refusals = [(spec, machine.refusal(spec)) for spec in chosen]
        if told := next((refusal for _, refusal in refusals if refusal is not None), None):
            say(f"note: its speed is not known, and not measured: {told.why}")
            say(f"measure it {told.where}: srqueue forecast {what} --calibrate")
        chosen = [spec for spec, refusal in refusals if refusal is None]
        if len(chosen) > MOST_UNASKED:
            left = counted(len(chosen) - MOST_UNASKED, "kind")
            say(f"note: {left} of work are not measured: srqueue forecast {what} --calibrate")
            chosen = chosen[:MOST_UNASKED]
    return bool(chosen) and any(speed is not None for speed in timed_speeds(settings, chosen, 0.0))
