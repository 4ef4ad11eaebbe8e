"""What a job trains on is not taken away from it to make room for another data set."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srqueue.datasets.cache import hold
from srqueue.run.atomic import read_object
from srqueue.settings import Settings


def hold_data(settings: Settings, noted: Mapping[str, Any]) -> contextlib.ExitStack:
    """Holds the data sets of an attempt that were brought here until it is left. `noted`: attempt.json."""
    roots: list[str] = []
    if settings.data_root.is_dir():  # else none ever was
        for listing in {*filter(None, (noted.get("listings") or {}).values())}:
            head = read_object(Path(listing))
            roots += [r for r in (head.get("hr_root"), head.get("lr_root")) if isinstance(r, str)]
    return hold(settings, roots)
