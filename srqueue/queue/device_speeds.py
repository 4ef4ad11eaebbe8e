"""How fast the devices of this machine have trained what: a worker announces it.

It lies in `device-speeds.json` in the home folder, by device, slots and work; the newest last.
"""

from __future__ import annotations

import json
from typing import Any

from srqueue.queue.kept_speeds import KeptSpeeds
from srqueue.run.atomic import write_json
from srqueue.settings import Settings

_KEPT, _ANNOUNCED = 50, 3  # kinds of work of a device


class DeviceSpeeds:
    """Iterations a second. Nothing that is wrong with the file is an error: then nothing is known."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._file = settings, settings.home / "device-speeds.json"

    def note(self, device: str, slots: int, work: str, it_s: float) -> None:
        """A job of such work has trained so fast on a device that so many may share."""
        known, key = self._read(), f"{device}/{slots}"
        own = {k: v for k, v in known.get(key, {}).items() if k != work}
        known[key] = dict([*own.items(), (work, float(f"{it_s:.3g}"))][-_KEPT:])
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_json(self._file, known, durable=False)
        except OSError:  # the next job tells it again
            return

    def newest(self, device: str, slots: int = 1) -> dict[str, float]:
        """By work, the newest first; what `srqueue forecast` has measured only where no job has told of that
        work."""
        own = {
            work: rate for work, rate in self._read().get(f"{device}/{slots}", {}).items() if _is_rate(rate)
        }
        found = dict(reversed(own.items()))
        if slots == 1:
            found = {
                **found,
                **{k: v for k, v in KeptSpeeds(self._settings).of_device(device).items() if k not in own},
            }
        return dict(list(found.items())[:_ANNOUNCED])

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return {}
        return {k: v for k, v in found.items() if isinstance(v, dict)} if isinstance(found, dict) else {}


def _is_rate(value: Any) -> bool:
    return isinstance(value, int | float) and value > 0
