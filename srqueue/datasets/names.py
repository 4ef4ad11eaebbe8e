"""File names as a person may safely see them."""

from __future__ import annotations

from collections.abc import Sequence


def shown(name: object) -> str:
    """`name` with control characters and bytes that are not UTF-8 escaped (a file name may hold any)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(name))


def first_five(names: Sequence[str]) -> str:
    """The first five names, and how many more there are."""
    text = ", ".join(shown(name) for name in names[:5])
    return text + (f" and {len(names) - 5} more" if len(names) > 5 else "")
