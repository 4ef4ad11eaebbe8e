"""Counts and times as a person writes them."""

from __future__ import annotations

import math


def kwh_text(kwh: float) -> str:
    """An energy in the unit that fits: `1.5 kWh`, `0.32 Wh`."""
    value, unit = (kwh, "kWh") if kwh >= 0.01 else (kwh * 1000, "Wh")
    digits = 0 if value >= 100 or not value else min(6, 2 - math.floor(math.log10(value)))
    text = f"{value:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if digits else text} {unit}"


def counted(number: int, noun: str) -> str:
    """`1 picture`, `0 pictures`, `7 pictures`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def of_all(number: int, total: int, noun: str) -> str:
    """`1 of 7 pictures is`, `2 of 7 pictures are`: the beginning of a sentence."""
    return f"{number} of {counted(total, noun)} {'is' if number == 1 else 'are'}"


def span(seconds: float) -> str:
    """A time in the largest unit that fits: `90 s`, `5 min`, `2.5 h`, `3.1 days`; 0 where it is negative."""
    seconds = max(0.0, seconds)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"
