"""Steady: what is so for a moment only does not count."""

from __future__ import annotations


class Steady:
    """Text that holds once it was there for `after` seconds, and until it was gone for `back` seconds."""

    def __init__(self, after: float, back: float) -> None:
        self._after, self._back = after, back
        self._since: float | None = None  # of what differs from what holds
        self._holds: str | None = None

    def see(self, found: str | None, now: float) -> str | None:
        """What holds after a look at monotonic second `now` has found that."""
        if (found is None) == (self._holds is None):
            self._since = None
            self._holds = found or self._holds
            return self._holds
        if self._since is None:
            self._since = now
        if now - self._since >= (self._after if self._holds is None else self._back):
            self._holds, self._since = found, None
        return self._holds
