"""Scores: what an exported model makes of each validation picture, and how fast; in export/metrics.json."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from srqueue.run.atomic import read_object
from srqueue.run.folder import RunDir

FIGURES = ("psnr_y", "ssim_y", "psnr_rgb")


@dataclass(frozen=True)
class PictureScore:
    """One picture, by its path in the data set, and the protocol of `val/psnr`: dB, and 0..1 for SSIM."""

    name: str
    psnr_y: float
    ssim_y: float
    psnr_rgb: float
    bicubic_psnr_y: float
    bicubic_ssim_y: float
    bicubic_psnr_rgb: float


@dataclass(frozen=True, kw_only=True)
class Scores:
    """`count`: pictures of the validation set, of which `pictures` may be some. `ms_per_megapixel`: of
    output, on `device`; None where it was not measured."""

    pictures: tuple[PictureScore, ...] = ()
    count: int = 0
    parameters: int | None = None
    ms_per_megapixel: float | None = None
    device: str = ""

    def thinned(self, most: int) -> Scores:
        """At most so many pictures, evenly spread: the same ones of every job with the same set."""
        if len(self.pictures) <= most:
            return self
        step = len(self.pictures) / most
        return replace(self, pictures=tuple(self.pictures[int(i * step)] for i in range(most)))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "pictures": [asdict(picture) for picture in self.pictures],
            "count": self.count,
            "parameters": self.parameters,
            "inference": {"ms_per_megapixel": self.ms_per_megapixel, "device": self.device},
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Scores | None:
        """Scores in the mapping of a metrics.json; None where it has none, as those of older versions."""
        if not isinstance(raw.get("pictures"), list):
            return None
        found = [_picture(picture) for picture in raw["pictures"]]
        inference = raw["inference"] if isinstance(raw.get("inference"), dict) else {}
        parameters = raw.get("parameters")
        return cls(
            pictures=tuple(picture for picture in found if picture is not None),
            count=raw["count"] if isinstance(raw.get("count"), int) else len(found),
            parameters=parameters if isinstance(parameters, int) else None,
            ms_per_megapixel=_number(inference.get("ms_per_megapixel")),
            device=str(inference.get("device") or ""),
        )


def read_scores(run: RunDir) -> Scores | None:
    """The scores of a run folder; None where it has none: not exported yet, not validated, or older."""
    return Scores.from_json(read_object(run.export / "metrics.json"))


def _picture(raw: Any) -> PictureScore | None:
    """None where a figure is missing or no finite number."""
    if not isinstance(raw, dict):
        return None
    names = [field for field in PictureScore.__dataclass_fields__ if field != "name"]
    values = {name: value for name in names if (value := _number(raw.get(name))) is not None}
    return PictureScore(str(raw.get("name")), **values) if len(values) == len(names) else None


def _number(value: Any) -> float | None:
    """JSON's numbers only, and finite ones."""
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if fits else None
