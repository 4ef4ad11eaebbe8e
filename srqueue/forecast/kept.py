"""The forecasts that a run folder keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from srqueue.forecast.told import Told
from srqueue.run.folder import RunDir

_MOST_BYTES = 4_000_000
_OF_PROGRESS = ("made", "iteration", "end", "psnr", "ssim", "ends_at")


def forecasts_of(run: RunDir) -> tuple[Mapping[str, Any], ...]:
    """Every forecast that was kept, oldest first; lines that are not whole are left out."""
    try:
        with run.forecasts_file.open() as file:
            lines = file.read(_MOST_BYTES).splitlines()
    except (OSError, UnicodeDecodeError):
        return ()
    found = []
    for line in lines:
        try:
            raw = json.loads(line)
        except ValueError:
            continue
        if isinstance(raw, dict) and Told.of({"forecast": raw}) is not None:
            found.append(raw)
    return tuple(found)


def newest_of(run: RunDir) -> dict[str, Any] | None:
    """The last of them as a record's progress has it."""
    kept = forecasts_of(run)
    return {key: kept[-1].get(key) for key in _OF_PROGRESS} if kept else None
