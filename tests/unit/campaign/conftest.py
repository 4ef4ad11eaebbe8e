"""Cells of campaigns that nobody trained."""

import math

import pytest

from srqueue.campaign.verdict.entry import Entry
from srqueue.run.scores import PictureScore, Scores


def scored(values, ms=None, device="card", parameters=None):
    rows = tuple(PictureScore(f"{i}.png", v, 0.9, v - 1, 28.0, 0.8, 27.0) for i, v in enumerate(values))
    return Scores(
        pictures=rows, count=len(rows), parameters=parameters, ms_per_megapixel=ms, device=device
    )  # fmt: skip


@pytest.fixture
def cell():
    """A cell whose pictures have these PSNRs; its own is their mean."""
    count = iter(range(10**6))

    def make(values=None, stage="main", seed=1, ms=None, device="card", parameters=None, **more) -> Entry:
        axes = more.pop("axes", {})
        values = None if values is None else list(values)
        given = {
            "id": f"01J00000000000000000{next(count):06}", "name": "cell", "stage": stage, "seed": seed,
            "axes": {**axes, "seed": seed}, "reason": "completed", "data": ("cc0", "d" * 64),
            "validated": ("v" * 64, "all of it", "x2"), "validated_text": "set5 vvvvvvvvvvvv, x2",
        }  # fmt: skip
        if values:
            given |= {"psnr": math.fsum(values) / len(values), "bicubic_psnr": 28.0, "seconds": 3600.0}
            given["scores"] = scored(values, ms, device, parameters)
        return Entry(**{**given, **more})

    return make
