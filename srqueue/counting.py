"""Counts as a person writes them."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """`1 picture`, `0 pictures`, `7 pictures`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def of_all(number: int, total: int, noun: str) -> str:
    """`1 of 7 pictures is`, `2 of 7 pictures are`: the beginning of a sentence."""
    return f"{number} of {counted(total, noun)} {'is' if number == 1 else 'are'}"
