"""SearchSpec: what a stage says of stopping early what is behind, and of a space to draw cells from."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from srqueue.campaign.search.space import DimensionSpec
from srqueue.spec.base import Frozen

MOST_RUNGS = 20
_FACTOR = 3

Metric = Literal["val/psnr", "val/ssim", "val/psnr_rgb"]
Sampler = Literal["grid", "random", "tpe", "cmaes"]
ASKED: tuple[Sampler, ...] = ("tpe", "cmaes")
"""Samplers that learn from what was measured: their cells are made while the campaign runs, by Optuna."""


class RungScale(Frozen):
    """Rungs that grow by a factor: min, min * factor, ..."""

    min: int = Field(ge=1, description="iterations of the first rung")
    factor: int = Field(_FACTOR, ge=2, le=64)


def _kind(value: Any) -> str:
    return "scale" if isinstance(value, Mapping | RungScale) else "list"


KINDS = ("scale", "list")
Rungs = Annotated[
    Annotated[tuple[Annotated[int, Field(ge=1)], ...], Tag("list")] | Annotated[RungScale, Tag("scale")],
    Discriminator(_kind),
]


class SearchSpec(Frozen):
    """The `search` section of a stage.

    asha: whoever is among the best 1/factor of those that have reached a rung goes on, at once; halving: a
    rung waits until all have reached it. Neither throws away a checkpoint.
    """

    method: Literal["asha", "halving", "none"] = "asha"
    rungs: Rungs = Field((), description="iterations at which cells are compared, or {min, factor}")
    factor: int | None = Field(
        None, ge=2, le=64, description="of so many at a rung one goes on; 3, or that of `rungs`"
    )
    metric: Metric = Field("val/psnr", description="what they are compared by; more is better")
    space: dict[str, DimensionSpec] = Field({}, description="key: what it may be")
    trials: int | None = Field(None, ge=1, le=100_000, description="cells to draw from the space")
    sampler: Sampler = Field(
        "random", description="tpe and cmaes learn from the cells before (extra `search`)"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="of the sampler")

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.method != "none" and not self.rungs:
            raise ValueError(f"{self.method} compares at rungs: give `rungs: [1000, 3000]`, iterations")
        if isinstance(self.rungs, tuple):
            if len(self.rungs) > MOST_RUNGS:
                raise ValueError(f"{len(self.rungs)} rungs are more than {MOST_RUNGS}")
            if any(low >= high for low, high in itertools.pairwise(self.rungs)):
                raise ValueError(f"the rungs {list(self.rungs)} do not grow")
        if self.space and self.trials is None and self.sampler != "grid":
            raise ValueError("a space needs `trials: N`, the number of cells to draw from it")
        if self.trials is not None and not self.space:
            raise ValueError("`trials` is how many cells are drawn from a `space`, and there is none")
        if self.space and self.sampler == "grid":
            open_ones = [key for key, one in self.space.items() if one.values() is None]
            if open_ones:
                raise ValueError(f"a grid needs values: {', '.join(open_ones)} has none; give it a `choice`")
        return self

    @property
    def asked(self) -> bool:
        """Whether its cells are made while the campaign runs."""
        return bool(self.space) and self.sampler in ASKED

    @property
    def one_of(self) -> int:
        """Of so many at a rung one goes on."""
        return self.factor or (self.rungs.factor if isinstance(self.rungs, RungScale) else _FACTOR)

    def rungs_below(self, total_iter: int) -> tuple[int, ...]:
        """The iterations at which cells of this length are compared; the end itself is no rung."""
        if self.method == "none":
            return ()
        if isinstance(self.rungs, RungScale):
            grown = (self.rungs.min * self.rungs.factor**i for i in range(MOST_RUNGS))
            return tuple(itertools.takewhile(lambda rung: rung < total_iter, grown))
        return tuple(rung for rung in self.rungs if rung < total_iter)
