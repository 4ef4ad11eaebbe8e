"""Manners: a worker on a person's own machine trains when that person does not need it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

import psutil

from srqueue.settings import Settings
from srqueue.spec.windows import Window, is_open, opens, parse_windows
from workers import yielding
from workers.devices import Device
from workers.foreground import Foreground
from workers.steady import Steady

log = logging.getLogger(__name__)

EACH = 1.0
"""Seconds between two looks at the clock and the battery."""
_OF_A_CARD = 5.0
"""Seconds between two looks at who works on a card."""

Look = Callable[[], str | None]


class Manners(threading.Thread):
    """Looks in the worker's main process, and says by `yielding` why it is not to train, until stopped."""

    def __init__(self, settings: Settings, device: Device) -> None:
        super().__init__(name="manners", daemon=True)
        self._windows = parse_windows(settings.window) if settings.window else ()
        after, back = settings.yield_after, settings.yield_back
        self._watched: list[tuple[Look, Steady]] = []
        if "battery" in settings.yields:
            self._watched.append((on_battery, Steady(after, back)))
        if "foreground" in settings.yields and device.uuids:
            look = Foreground(device.uuids, settings.ignored).look
            self._watched.append((_rarely(look), Steady(after, back)))
        self._ended = threading.Event()
        yielding.say(self.look())  # before the first bell is heard

    @property
    def needed(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self._windows or self._watched)

    def run(self) -> None:
        """Looks until stopped; nothing that goes wrong ends it."""
        before = yielding.why()
        while not self._ended.wait(EACH):
            try:
                found = self.look()
            except Exception as error:  # a driver, a strange battery: then it is not known
                log.debug("the machine cannot be looked at: %s", error)
                continue
            if found != before:
                log.info("takes no jobs: %s" if found else "takes jobs again%s", found or "")
            yielding.say(found)
            before = found

    def look(self) -> str | None:
        """Why it is not to train now; None where it may."""
        now = time.monotonic()
        held = [text for watch, steady in self._watched if (text := steady.see(watch(), now))]
        return closed(self._windows, datetime.now().astimezone()) or (held[0] if held else None)

    def stop(self) -> None:
        """Ends the thread."""
        self._ended.set()


def closed(windows: tuple[Window, ...], now: datetime) -> str | None:
    """`outside its window until 22:00`; None where one is open, or there are none."""
    if is_open(windows, now):
        return None
    at = opens(windows, now)
    day = "" if at.date() == now.date() else f"{at:%a} "
    return f"outside its window until {day}{at:%H:%M}"


def on_battery() -> str | None:
    """Whether this machine runs on its battery; None also where it has none."""
    battery = psutil.sensors_battery()
    return "on battery" if battery is not None and battery.power_plugged is False else None


def _rarely(look: Look) -> Look:
    """The same, but asked only every few seconds: a driver takes a millisecond for it."""
    known: list[str | None] = [None]
    at = [float("-inf")]

    def asked() -> str | None:
        if time.monotonic() - at[0] >= _OF_A_CARD:
            at[0], known[0] = time.monotonic(), look()
        return known[0]

    return asked
