"""What was drawn for a campaign and became no cell, and who draws at the moment."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from srqueue.store.connection import Connection, compact


class Drawn:
    """Of one campaign. Raises ServiceUnreachable where Redis does not answer."""

    def __init__(self, connection: Connection, campaign: str) -> None:
        self.connection = connection
        self._name = campaign
        self._unfit = connection.keys.campaign(campaign, "unfit")
        self._lock = connection.keys.campaign(campaign, "drawing")
        self._studies = connection.keys.campaign(campaign, "study")

    @contextmanager
    def alone(self, token: str, seconds: float) -> Iterator[bool]:
        """Whether nobody else draws for this campaign; for so many seconds at most."""
        with self.connection.reach() as client:
            mine = bool(client.set(self._lock, token, nx=True, px=math.ceil(seconds * 1000)))
        try:
            yield mine
        finally:
            if mine:
                self.connection.run("undraw", self._lock, token)

    def unfit(self, stage: str) -> dict[int, dict[str, Any]]:
        """Trials that became no cell, by number: their values."""
        return {number: row["axes"] for its, number, row in self._rows() if its == stage}

    def reasons(self) -> dict[str, int]:
        """Why trials became no cell, and how many each."""
        return dict(Counter(row["why"] for _, _, row in self._rows()))

    def _rows(self) -> Iterator[tuple[str, int, dict[str, Any]]]:
        with self.connection.reach() as client:
            raw = client.hgetall(self._unfit)
        for key, text in raw.items():
            stage, _, number = key.rpartition("/")
            yield stage, int(number), json.loads(text)

    def note_unfit(self, stage: str, number: int, axes: dict[str, Any], why: str) -> None:
        """A trial of which no cell can be made."""
        self.connection.run("unfit", self._name, stage, number, compact({"axes": axes, "why": why}))

    def study(self, name: str) -> str:
        """What the keys of a study begin with."""
        with self.connection.reach() as client:
            client.sadd(self._studies, name)
        return f"{self._studies}:{name}"

    def begin(self, stage: str) -> None:
        """It is drawn from the first trial on."""
        with self.connection.reach() as client:
            if gone := [key for key in client.hkeys(self._unfit) if key.rpartition("/")[0] == stage]:
                client.hdel(self._unfit, *gone)

    def forget(self) -> None:
        """Nothing of it is left, nor of the studies (whose keys are Optuna's: optuna.storages.journal)."""
        with self.connection.reach() as client:
            for name in client.smembers(self._studies):
                prefix = f"{self._studies}:{name}"
                last = int(client.get(f"{prefix}:log_number") or -1)
                for first in range(0, last + 1, 500):
                    client.delete(*(f"{prefix}:log:{n}" for n in range(first, min(first + 500, last + 1))))
                client.delete(f"{prefix}:log_number", f"{prefix}:snapshot")
            client.delete(self._studies, self._unfit, self._lock)
