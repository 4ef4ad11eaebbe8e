"""What lies in a run folder, as sentences."""

from __future__ import annotations

from collections.abc import Sequence

from srqueue.counting import counted, span
from srqueue.run.evidence import Evidence

_NAMED = 3


def of_checkpoints(evidence: Evidence, published: int | None = None) -> list[str]:
    """`published`: number of the newest that Redis knows, where that should be the newest."""
    found = []
    if evidence.newest is not None and evidence.saved is not None:
        unlike = published is not None and published != evidence.newest.seq
        known = f" (Redis knows of number {published})" if unlike else ""
        found.append(f"newest checkpoint: {evidence.newest}, saved {span(evidence.saved)} ago{known}")
    warnings = [text for attempt in evidence.attempts for text in attempt.warnings]
    told = []
    for name in evidence.set_aside:
        why = next((text for text in reversed(warnings) if text.endswith(f"set aside as {name}")), None)
        told.append(why.partition(";")[0] + f"; it is kept as {name}" if why else f"{name} was damaged")
    found += [f"set aside: {text}" for text in told[-_NAMED:]]
    found += _more(told)
    if evidence.bad_pictures:
        more = len(evidence.bad_pictures) - _NAMED
        named = ", ".join(evidence.bad_pictures[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        found.append(f"pictures left out, since they cannot be read: {named}")
    if evidence.decided:
        last = "; ".join(evidence.decisions)
        found.append(f"decided on the way: {counted(evidence.decided, 'time')}, the last: {last}")
    return found


def of_attempts(evidence: Evidence) -> list[str]:
    """Changes of the arithmetic, and what the newest two attempts warned of."""
    changes = [f"attempt {a.token} computes otherwise: {a.changed}" for a in evidence.attempts if a.changed]
    found = changes[-_NAMED:] + _more(changes)
    for attempt in evidence.attempts[-2:]:
        others = [
            text
            for text in attempt.warnings
            if not (
                "set aside as" in text or (attempt.changed and text.startswith("the arithmetic has changed"))
            )
        ]
        found += [f"attempt {attempt.token} warned: {text}" for text in others[-_NAMED:]]
    return found


def _more(told: Sequence[str]) -> list[str]:
    more = len(told) - _NAMED
    return [f"and {more} more like these"] if more > 0 else []
