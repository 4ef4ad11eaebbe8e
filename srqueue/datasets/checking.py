"""Looks again at the pictures of a registered data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from srqueue.datasets.registry import Registry
from srqueue.datasets.tools import run_tool, say_on_stderr
from srqueue.settings import Settings


@dataclass(frozen=True)
class CheckReport:
    """What is not as it was when the data set was added. Paths are as in the listing.

    `pairs`: `{path, psnr, remark, fit, gain}` of sets with an LR folder: PSNR-Y of the bicubically enlarged
    LR (dB), PSNR of LR against HR made small (dB), and how much brighter LR is.
    `duplicates`: `{train, val, correlation}` of pictures that are trained on and validated on.
    `new`, `quarantined` and `alike` tell, but are nothing wrong; the last holds `{one, other,
    correlation}` of pictures that are both trained on and nearly the same.
    """

    name: str
    pictures: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]
    corrupt: dict[str, str]
    new: tuple[str, ...]
    quarantined: dict[str, str]
    pairs: tuple[dict[str, Any], ...]
    duplicates: tuple[dict[str, Any], ...]
    alike: tuple[dict[str, Any], ...] = ()

    @property
    def sound(self) -> bool:
        """True where nothing is wrong."""
        suspect = any(pair["remark"] for pair in self.pairs)
        return not (self.missing or self.changed or self.corrupt or self.duplicates or suspect)


def check(settings: Settings, name: str, tell: Callable[[str], None] = say_on_stderr) -> CheckReport:
    """Reads, hashes and decodes every picture again. Raises UsageError for an unknown name, DataError where
    the folder or the listing is gone."""
    registry = Registry(settings)
    entry = registry.get(name)
    found = run_tool(
        "check",
        {
            "listing": str(registry.listing_file(name)),
            "val_listing": str(registry.listing_file(entry.val)) if entry.val else None,
        },
        tell,
    )
    found = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
    return CheckReport(name=name, **found)
