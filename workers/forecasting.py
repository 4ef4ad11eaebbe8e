"""A run's forecast, made beside it: into its progress, and each into its folder.

It may cost a training nothing that one would notice: it is made after a validation, in at most a
hundredth of the time that has gone by, and whatever goes wrong here ends nothing but the forecasts.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from typing import Any

from srqueue.forecast.gains import Targets
from srqueue.forecast.limits import Limits
from srqueue.forecast.running import forecast_run
from srqueue.forecast.watched import Watched
from srqueue.run.events import Event
from srqueue.run.folder import RunDir
from srqueue.spec.job import JobSpec
from srqueue.spec.windows import Window

log = logging.getLogger(__name__)

FORECAST_VERSION = 1
_FREE_SECONDS = 1.0
_SHARE = 0.01
_NEWER = 60.0
"""Seconds after which the time of the end is told anew, also without a validation."""


class Forecaster:
    """Of one attempt, that may train to a `rung` and while the `windows` of its worker are open; `targets`:
    what other jobs reached. `see` what was written, then ask for `newest`."""

    def __init__(
        self, spec: JobSpec, run: RunDir, token: int, rung: int | None = None,
        windows: Sequence[Window] = (), targets: Targets | None = None,
    ) -> None:  # fmt: skip
        self._train = spec.train
        self._limits = Limits.of(spec.stop, rung, [spec.window, windows], targets)
        validates = spec.datasets.val is not None and spec.val.val_enabled
        self._val_freq = spec.val.val_freq if validates else 0
        self._run, self._token = run, token
        self._seen: Watched | None = None
        self._began, self._cost, self._made = time.monotonic(), 0.0, 0.0
        self._due = self._broken = False
        self._stored: dict[str, Any] | None = None

    def see(self, events: Sequence[Event]) -> None:
        """Takes in what the attempt has written; never raises."""
        try:
            if self._seen is None:  # what earlier attempts of the run have written, and this one so far
                self._seen = Watched.of(e for e in self._run.events() if e.token != self._token)
            for event in events:
                self._due |= self._seen.see(event)
        except Exception:
            self._give_up()

    def newest(self) -> dict[str, Any] | None:
        """What a record's progress says of the end; None while nothing is known. Never raises."""
        now = time.monotonic()
        late = bool(self._seen and self._seen.reports) and now - self._made > _NEWER
        affordable = self._cost <= _FREE_SECONDS + _SHARE * (now - self._began)
        if self._seen is None or self._broken or not affordable or not (self._due or late):
            return self._stored
        if self._seen.iteration >= self._limits.last(self._train, self._seen.decay_from):
            return self._stored  # it is over: the last forecast stays, to be compared with what came
        try:
            self._make(self._seen)
        except Exception:
            self._give_up()
        self._made, self._due = time.monotonic(), False
        self._cost += time.monotonic() - now
        return self._stored

    def _make(self, seen: Watched) -> None:
        found = forecast_run(seen, self._train, self._val_freq, limits=self._limits)
        self._stored = found.stored(time.time(), self._limits)
        if not self._due:
            return
        newest = seen.validations[-1] if seen.validations else None
        line = {
            "v": FORECAST_VERSION, "token": self._token, "total_iter": found.total,
            "until": self._limits.rung, **self._stored,
            "from": {**found.made_from, "psnr": newest and newest.psnr, "ssim": newest and newest.ssim},
        }  # fmt: skip
        try:
            with self._run.forecasts_file.open("a") as file:
                file.write(json.dumps(line, allow_nan=False) + "\n")
        except OSError as error:  # a full disk is the trainer's to tell of
            log.debug("a forecast was not kept: %s", error)

    def _give_up(self) -> None:
        if not self._broken:
            log.warning("no forecasts of %s any more", self._run.job_id, exc_info=True)
        self._broken = True
