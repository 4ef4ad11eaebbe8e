"""From cells to specs: every cell expanded, every error told by its cell, and who begins with whose model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from srqueue.campaign.cells import Cell, cell_of, cells_of
from srqueue.campaign.expanding import Expander, Wrong
from srqueue.campaign.search.checking import incomparable, problem
from srqueue.campaign.search.space import corners
from srqueue.campaign.spec import CampaignSpec
from srqueue.errors import SpecError
from srqueue.spec.expand import DatasetRef, Expanded

_MOST_TOLD = 10
MOST_PARENTS = 1000
"""Jobs that a spec may name to begin with the best model of."""


@dataclass(frozen=True)
class Planned:
    """A cell and its spec.

    `parents`: positions in the plan of the cells of which the best gives the model that it begins with.
    """

    cell: Cell
    expanded: Expanded
    parents: tuple[int, ...] = ()


def plan_cells(campaign: CampaignSpec, dataset: Callable[[str], DatasetRef]) -> tuple[Planned, ...]:
    """Every cell with its spec, stage after stage. `dataset`: what is known of a data set, by its name.

    Raises SpecError that tells all that is wrong, by cell.
    """
    cells = cells_of(campaign)
    expander = Expander(campaign.name, dataset)
    made: list[Expanded] = []
    wrong: dict[str, list[str]] = {}
    for cell in (*cells, *_probes(campaign)):
        try:
            expanded = expander.expand(cell)
        except Wrong as error:
            for text in error.problems:
                wrong.setdefault(text, []).append(cell.label)
            continue
        made.append(expanded)
        if (search := campaign.stages[cell.stage].search) and (why := problem(search, expanded.spec)):
            wrong.setdefault(why, []).append(cell.label)
    if not wrong:
        made = made[: len(cells)]
        planned, unmet = _with_parents(campaign, cells, made)
        unmet |= _unlike(campaign, cells, made)
        for text, labels in unmet.items():
            wrong.setdefault(text, []).extend(labels)
        if not wrong:
            return planned
    lines = [f"{_which(labels, len(cells))}: {text}" for text, labels in list(wrong.items())[:_MOST_TOLD]]
    if len(wrong) > _MOST_TOLD:
        lines.append(f"... and {len(wrong) - _MOST_TOLD} more")
    raise SpecError("\n  ".join(lines), where=f"campaign {campaign.name}")


def _which(labels: Sequence[str], cells: int) -> str:
    if len(labels) == cells and cells > 1:
        return f"every cell ({cells})"
    if len(labels) == 1:
        return f"cell {labels[0]}"
    return f"{len(labels)} cells ({labels[0]}, ...)"


def _probes(campaign: CampaignSpec) -> list[Cell]:
    """Cells at the ends of spaces from which cells will be drawn: what is wrong with them is told now."""
    return [
        cell_of(name, stage, campaign.name, row)
        for name, stage in campaign.stages.items()
        if stage.search and stage.search.asked
        for row in corners(stage.search.space)
    ]


def _unlike(campaign: CampaignSpec, cells: Sequence[Cell], made: Sequence[Expanded]) -> dict[str, list[str]]:
    """Cells that a search compares though they cannot be compared."""
    found: dict[str, list[str]] = {}
    for name, stage in campaign.stages.items():
        mine = [(c.label, e.spec) for c, e in zip(cells, made, strict=True) if c.stage == name]
        if stage.search and (text := incomparable(stage.search, [spec for _, spec in mine])):
            found.setdefault(text, []).extend(label for label, _ in mine)
    return found


def _with_parents(
    campaign: CampaignSpec, cells: Sequence[Cell], made: Sequence[Expanded]
) -> tuple[tuple[Planned, ...], dict[str, list[str]]]:
    """The plan, and what is wrong with whom."""
    planned: list[Planned] = []
    wrong: dict[str, list[str]] = {}
    of_stage: dict[str, list[int]] = {}
    keys_of: dict[str, set[str]] = {}
    groups: dict[tuple[str, tuple[str, ...]], dict[tuple[str, ...], list[int]]] = {}
    for place, (cell, expanded) in enumerate(zip(cells, made, strict=True)):
        of_stage.setdefault(cell.stage, []).append(place)
        first = campaign.stages[cell.stage].start_from
        if first is None:
            planned.append(Planned(cell, expanded))
            continue
        if first not in keys_of:
            keys_of[first] = {key for i in of_stage[first] for key in cells[i].axes}
        shared = tuple(sorted(cell.axes.keys() & keys_of[first]))
        if (first, shared) not in groups:
            index = groups[first, shared] = {}
            for i in of_stage[first]:
                index.setdefault(_values(cells[i], shared), []).append(i)
        agreeing = groups[first, shared].get(_values(cell, shared), [])
        strict = expanded.spec.path.strict_load_g
        fitting = [i for i in agreeing if _fits(made[i], expanded, strict)]
        if not fitting:
            what = f"of the same {', '.join(shared)} " if shared else ""
            wrong.setdefault(
                f"stage {first} has no cell {what}with its network, whose model it could begin with", []
            ).append(cell.label)
            continue
        if len(fitting) > MOST_PARENTS:
            wrong.setdefault(
                f"it would begin with the best of {len(fitting):,} cells of stage {first}; at most "
                f"{MOST_PARENTS:,} may be asked",
                [],
            ).append(cell.label)
            continue
        other_scale = any(made[i].spec.scale != expanded.spec.scale for i in fitting)
        if strict and other_scale:
            expanded = _taking_what_fits(expanded, first)
        planned.append(Planned(cell, expanded, tuple(fitting)))
    return tuple(planned), wrong


def _values(cell: Cell, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(repr(cell.axes.get(key)) for key in keys)


def _fits(model: Expanded, taker: Expanded, strict: bool) -> bool:
    return not strict or model.spec.network_g == taker.spec.network_g


def _taking_what_fits(expanded: Expanded, stage: str) -> Expanded:
    """A body that was trained at another scale is a good start; its tail does not fit."""
    path = expanded.spec.path.model_copy(update={"strict_load_g": False})
    origins = {**expanded.origins, "path.strict_load_g": f"start_from {stage}: another scale"}
    return replace(expanded, spec=expanded.spec.model_copy(update={"path": path}), origins=origins)


def started_from(expanded: Expanded, jobs: Sequence[str], stage: str) -> Expanded:
    """`expanded`, to begin with the best model of these jobs."""
    path = expanded.spec.path.model_copy(update={"pretrain_jobs": tuple(jobs)})
    origins: dict[str, Any] = {**expanded.origins, "path.pretrain_jobs": f"start_from {stage}"}
    return replace(expanded, spec=expanded.spec.model_copy(update={"path": path}), origins=origins)
