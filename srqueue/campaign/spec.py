"""CampaignSpec: what a campaign file says."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from srqueue.campaign.laying import SHORT, laid
from srqueue.campaign.search.space import DimensionSpec
from srqueue.campaign.search.spec import KINDS, RungScale, SearchSpec
from srqueue.errors import SpecError, did_you_mean
from srqueue.spec.base import Frozen
from srqueue.spec.job import JobSpec, SafeName
from srqueue.spec.reading import read_mapping
from srqueue.spec.stopping import Budgets

MAIN = "main"
"""The stage of a file that names none."""


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Keys = dict[str, Any]
"""Keys of a cell: preset, dataset, arch, seed, and any key of a spec, dotted or as a section."""
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class OverrideSpec(Frozen):
    """What cells get that hold certain values: `{when: {arch: compact}, set: {train.optim_g.lr: 1e-3}}`."""

    when: Keys = Field(min_length=1)
    set: Keys = Field(min_length=1)


class StageSpec(Frozen):
    """Cells that may run at the same time. At the top of a file: what all stages share."""

    base: Keys = Field({}, description="what every cell has")
    matrix: dict[str, Annotated[tuple[Any, ...], BeforeValidator(_listed)]] = Field(
        {}, description="key: values; one cell for each combination"
    )
    include: tuple[Keys, ...] = Field((), description="cells beside those of the matrix")
    exclude: tuple[Keys, ...] = Field((), description="cells of the matrix that are left out")
    overrides: tuple[OverrideSpec, ...] = ()
    after: Names = Field((), description="stages that have to end first")
    start_from: str | None = Field(
        None,
        description="stage whose best model, of cells that agree in what both vary, a cell begins with",
    )
    search: SearchSpec | None = Field(None, description="which cells are worth their whole length")


class CampaignSpec(Frozen):
    """A whole campaign. `stages` holds all that the file says of cells, also where it names no stage."""

    name: SafeName
    description: str = ""
    stages: dict[SafeName, StageSpec]
    max_parallel: int | None = Field(
        None, ge=1, le=100_000, description="cells that wait or run at a time; the others are held"
    )
    priority: int = Field(5, ge=0, le=9)
    budget: Budgets = Field(
        (), description="what its jobs may spend together, such as 60h, 6kWh, 20 EUR or Sun 22:00"
    )
    on_failure: Literal["continue", "stop"] = Field(
        "continue", description="stop: after a failed cell no other is begun"
    )

    @model_validator(mode="after")
    def _stages_fit(self) -> Self:
        for name, stage in self.stages.items():
            for other in before(stage):
                if other == name:
                    raise ValueError(f"stage {name} waits for itself")
                if other not in self.stages:
                    hint = did_you_mean(other, self.stages)
                    raise ValueError(f"stage {name} waits for {other!r}, and there is no such stage; {hint}")
            if stage.search and stage.search.asked and (stage.matrix or stage.include):
                raise ValueError(
                    f"stage {name}: {stage.search.sampler} draws all cells; put the matrix into the space, "
                    "as `choice`"
                )
            first = self.stages[stage.start_from].search if stage.start_from in self.stages else None
            if first and first.asked:
                raise ValueError(
                    f"stage {name} cannot start from {stage.start_from}: its cells are not known beforehand"
                )
        try:
            self.order()
        except CycleError as error:
            raise ValueError(f"stages wait for each other: {' -> '.join(error.args[1])}") from None
        return self

    def order(self) -> tuple[str, ...]:
        """The stages, each behind those that it waits for; else as they stand in the file."""
        sorter = TopologicalSorter({name: before(stage) for name, stage in self.stages.items()})
        sorter.prepare()
        found: list[str] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=list(self.stages).index)
            found += ready
            sorter.done(*ready)
        return tuple(found)


def before(stage: StageSpec) -> tuple[str, ...]:
    """Names of the stages that have to end before `stage`."""
    return tuple(dict.fromkeys([*stage.after, *([stage.start_from] if stage.start_from else [])]))


def read_campaign(file: Path) -> CampaignSpec:
    """The campaign in a YAML file; its name is the file's where it says none. Raises SpecError."""
    return campaign_of(read_mapping(file), str(file), file.stem)


def campaign_of(raw: Mapping[str, Any], where: str, name: str | None = None) -> CampaignSpec:
    """The campaign in a mapping. Raises SpecError that lists every problem."""
    body = dict(raw)
    shared = {key: body.pop(key) for key in list(body) if key in _SHARED}
    stages = body.get("stages")
    if stages is None:
        body["stages"] = {MAIN: shared}
    elif isinstance(stages, Mapping) and stages:
        body["stages"] = {
            key: laid(shared, stage or {}, f"{where}, stages.{key}") for key, stage in stages.items()
        }
    else:
        raise SpecError("`stages` must hold `name: {...}` lines", where=where)
    if name is not None:
        body.setdefault("name", name)
    try:
        return CampaignSpec.model_validate(body)
    except ValidationError as error:
        lines = [_problem(problem["type"], problem["loc"], problem["msg"]) for problem in error.errors()]
    raise SpecError("\n  ".join(dict.fromkeys(lines)), where=where)


_SHARED = tuple(StageSpec.model_fields)


_OF_CELLS = {*JobSpec.model_fields, *SHORT.values(), *SHORT}


def _problem(kind: str, loc: tuple[int | str, ...], message: str) -> str:
    keys = [str(part) for i, part in enumerate(loc) if not (part in KINDS and loc[i - 1] == "rungs")]
    if keys[:2] == ["stages", MAIN]:
        keys = keys[2:]
    path = ".".join(keys)
    if kind == "extra_forbidden":
        models: dict[str, type[Frozen]] = {
            "stages": StageSpec, "overrides": OverrideSpec, "search": SearchSpec, "space": DimensionSpec,
            "rungs": RungScale,
        }  # fmt: skip
        owner = next((models[k] for k in reversed(keys[:-1]) if k in models), CampaignSpec)
        known = {*owner.model_fields, *(StageSpec.model_fields if owner is CampaignSpec else ())}
        near = did_you_mean(keys[-1], known)
        if owner in (CampaignSpec, StageSpec) and keys[-1] in _OF_CELLS and not near.startswith("did"):
            return f"{path}: this is a key of cells; put it into `base`, as in base: {{{keys[-1]}: ...}}"
        return f"{path}: unknown key; {near}"
    if path == "name" and kind == "string_pattern_mismatch":
        return "name: 1 to 64 of the characters A-Z a-z 0-9 . _ -, the first a letter or a digit"
    text = "must be a list, as in [1, 2]" if kind == "tuple_type" else message.removeprefix("Value error, ")
    return f"{path}: {text}" if path else text
