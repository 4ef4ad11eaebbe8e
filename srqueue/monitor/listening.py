"""Flower hears what workers tell also where its user of Redis may not speak to them."""

from __future__ import annotations

from typing import Any

from celery.events import EventReceiver
from flower import events
from kombu.exceptions import OperationalError
from redis.exceptions import NoPermissionError


class Listener(EventReceiver):  # type: ignore[misc]
    """Asks workers for a sign of life when it starts, as Flower's own does; goes on where it may not ask."""

    def wakeup_workers(self, channel: Any = None) -> None:
        """They give one every two seconds anyway."""
        try:
            super().wakeup_workers(channel=channel)
        except OperationalError as error:
            if not isinstance(error.__cause__, NoPermissionError):
                raise


def listen_without_speaking() -> None:
    """Once in a process, before Flower starts to listen."""
    events.EventReceiver = Listener
