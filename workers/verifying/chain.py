"""One run, ended over and over: at points of a commit, at random, and by request. Then it goes to its end."""

from __future__ import annotations

import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from srqueue.errors import SrqueueError
from srqueue.run.folder import RunDir
from srqueue.run.reasons import StopReason
from workers.trainer.checkpoint import MANIFEST, read_manifest
from workers.trainer.commit_points import COMMIT_POINTS
from workers.verifying.attempts import Attempts
from workers.verifying.digests import history

ENDS = (StopReason.COMPLETED, StopReason.STOPPED_EARLY)
_LONGEST_WAIT = 0.05
"""Seconds between a checkpoint and a kill at random."""


@dataclass
class Ended:
    """What became of a chain. `landed`: how each attempt but the last was ended, and where it stood."""

    landed: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """What must hold at all times and did not, in words."""


def straight(attempts: Attempts) -> None:
    """Trains without any disturbance. Raises SrqueueError where that does not end well."""
    attempts.start()
    attempts.end()
    _check_end(attempts)


def chained(attempts: Attempts, points: Sequence[str], kills: int, stops: int, seed: int) -> Ended:
    """Ends the run at each of `points`, at random, and by request, in a drawn order, and lets it end itself.

    An attempt is ended only after it has written a checkpoint, so that each has something to lose.
    Raises SrqueueError where an attempt fails by itself.
    """
    drawn = random.Random(seed)
    plan = [*points, *["at random"] * kills, *["by request"] * stops]
    drawn.shuffle(plan)
    ended = Ended()
    for done, how in enumerate(plan, 1):
        if _disturb(attempts, how, drawn):
            ended.landed.append(f"{how}, iteration {attempts.run.checkpoint_names()[-1].iteration}")
        else:
            ended.missed.append(how)
        ended.wrong += wrong(attempts.run)
        if attempts.outcome is not None and attempts.outcome.reason in ENDS:
            ended.missed += plan[done:]
            return ended
    attempts.start()
    attempts.end()
    _check_end(attempts)
    ended.wrong += wrong(attempts.run)
    return ended


def _disturb(attempts: Attempts, how: str, drawn: random.Random) -> bool:
    """Whether it was ended as planned, after a checkpoint of its own."""
    if how in COMMIT_POINTS:
        attempts.start((2, how))
        status = attempts.end()
        landed = status == -signal.SIGKILL and attempts.committed
    else:
        attempts.start()
        number = signal.SIGKILL if how == "at random" else signal.SIGTERM
        landed = attempts.signal_after_commit(number, drawn.uniform(0, _LONGEST_WAIT))
        status = attempts.end()
        if number == signal.SIGKILL:
            landed = landed and status == -signal.SIGKILL
        else:
            landed = attempts.outcome is not None and attempts.outcome.reason is StopReason.PAUSED
    if not landed and (attempts.outcome is None or attempts.outcome.reason not in ENDS):
        raise _failed(attempts)
    return landed


def wrong(run: RunDir) -> list[str]:
    """What does not hold of the checkpoints of a run and of its history; nothing where all is well."""
    found: list[str] = []
    before = None
    validations = [(it, data) for it, kind, data in history(run) if kind == "val"]
    back = any(e.kind == "action" and e.data["by"] == "DivergenceGuard" for e in run.events())
    if not back and len({it for it, _ in validations}) != len(validations):
        found.append("the history holds a validation twice")
    names = run.checkpoint_names()
    for name in names:
        folder = run.checkpoints / str(name)
        if name != names[-1] and not (folder / MANIFEST).exists():
            continue  # it was being removed
        state = read_manifest(folder).state
        if state["seq"] != name.seq or state["iteration"] != name.iteration:
            found.append(f"{name} holds seq {state['seq']} of iteration {state['iteration']}")
        if before and not _grew(before, state):
            found.append(f"{name}: its number, its seconds or its kWh fell")
        before = state
        if back:  # its iterations are told twice, and rightly
            continue
        seen = [data for it, data in validations if it <= state["validated"]]
        last = {key: value for key, value in (seen[-1] if seen else {}).items() if key in state["last"]}
        if last != state["last"] or bool(last) != bool(seen):
            found.append(f"{name}: its last metrics are not those that were told last")
    return found


def _check_end(attempts: Attempts) -> None:
    if attempts.outcome is None or attempts.outcome.reason not in ENDS:
        raise _failed(attempts)


def _failed(attempts: Attempts) -> SrqueueError:
    outcome = attempts.outcome
    told = f"{outcome.reason}: {outcome.message}" if outcome else "it left no outcome"
    return SrqueueError(f"an attempt ended by itself: {told}", where=str(attempts.log))


def _grew(before: dict[str, Any], after: dict[str, Any]) -> bool:
    kwh = [state.get("energy", {}).get("kwh", 0.0) for state in (before, after)]
    return bool(before["seq"] < after["seq"] and before["seconds"] <= after["seconds"] and kwh[0] <= kwh[1])
