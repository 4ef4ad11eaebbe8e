"""Cells: the combinations that a campaign's matrix stands for."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from srqueue.campaign.laying import SHORT, plain
from srqueue.campaign.search.space import at_random, grid
from srqueue.campaign.spec import MAIN, CampaignSpec, Keys, StageSpec
from srqueue.errors import SpecError
from srqueue.spec.layers import leaves, set_path

MOST_CELLS = 100_000
ASKED_ABOVE = 1000
"""A campaign of more cells is queued only where the user says so."""

CHOICES = ("preset", "dataset", "arch", "seed", "name")
"""Keys of a cell that are not keys of a spec."""

_LONGEST_NAME = 64


@dataclass(frozen=True)
class Cell:
    """One training of a campaign. `axes`: what tells it from the others of its stage, by key."""

    stage: str
    axes: Keys
    choices: Keys
    layers: tuple[tuple[str, Mapping[str, Any]], ...]
    """(origin, partial spec), later ones win."""

    @property
    def label(self) -> str:
        """For people: `fidelity · cc0 · compact · seed 2`."""
        return " · ".join(f"{_tail(key)} {shown(value)}" if key not in _SPEAKING else shown(value)
                          for key, value in self.axes.items()) or self.stage  # fmt: skip

    def key(self) -> str:
        """The same for the same stage and axes."""
        return json.dumps([self.stage, sorted(self.axes.items())], sort_keys=True, default=str)


_SPEAKING = ("preset", "dataset", "arch")


def count(campaign: CampaignSpec) -> int:
    """How many cells the file stands for, before `exclude`, with those drawn later; nothing is made."""
    stages = campaign.stages.values()
    later = sum(s.search.trials or 0 for s in stages if s.search and s.search.asked)
    return later + sum(_combinations(stage) + len(stage.include) for stage in stages)


def cells_of(campaign: CampaignSpec) -> tuple[Cell, ...]:
    """All cells, stage after stage. Raises SpecError where there are none, too many, or one twice."""
    where = f"campaign {campaign.name}"
    if (number := count(campaign)) > MOST_CELLS:
        raise SpecError(f"{number:,} cells are more than a campaign may have ({MOST_CELLS:,})", where=where)
    found: dict[str, Cell] = {}
    for name in campaign.order():
        stage = campaign.stages[name]
        made = list(_cells(name, stage, campaign.name))
        if not made and not (stage.search and stage.search.asked):
            raise SpecError(_why_none(stage), where=f"{where}, stage {name}", hint=_HINT)
        for cell in made:
            if cell.key() in found:
                raise SpecError(f"one cell stands twice: {cell.label}", where=f"{where}, stage {name}")
            found[cell.key()] = cell
    return tuple(found.values())


_HINT = "a matrix such as {arch: [compact, span], seed: [1, 2, 3]} has six cells"


def _why_none(stage: StageSpec) -> str:
    empty = [key for key, values in stage.matrix.items() if not values]
    if empty:
        return f"no value is given for {', '.join(empty)}: the matrix is empty"
    return "no cell is left by `exclude`" if stage.matrix else "the matrix is empty"


def _combinations(stage: StageSpec) -> int:
    drawn = len(_drawn(stage))
    if not stage.matrix and (stage.include or not stage.base) and not (stage.search and stage.search.space):
        return 0
    return math.prod(len(values) for values in stage.matrix.values()) * drawn


def _drawn(stage: StageSpec) -> list[Keys]:
    """What is drawn from a space beforehand, for each combination of the matrix."""
    search = stage.search
    if search is None or not search.space:
        return [{}]
    if search.asked:
        return []
    if search.sampler == "grid":
        return grid(search.space)
    return at_random(search.space, search.trials or 0, search.seed)


def _cells(name: str, stage: StageSpec, campaign: str) -> Iterator[Cell]:
    base = plain(stage.base)
    matrix = {SHORT.get(key, key): values for key, values in stage.matrix.items()}
    rows: list[Keys] = []
    if _combinations(stage):
        drawn = _drawn(stage)
        rows = [
            {**dict(zip(matrix, row, strict=True)), **more}
            for row in product(*matrix.values())
            for more in drawn
        ]
    left = [plain(rule) for rule in stage.exclude]
    rows = [row for row in rows if not any(_matches({**base, **flat(row)}, rule) for rule in left)]
    rows += [{SHORT.get(k, k): v for k, v in row.items()} for row in stage.include]
    for row in rows:
        yield cell_of(name, stage, campaign, row)


def cell_of(name: str, stage: StageSpec, campaign: str, row: Keys) -> Cell:
    """The cell of a stage that differs from the others in `row`."""
    origin = f"campaign {campaign}"
    laid = [("base", plain(stage.base)), ("matrix", flat(row))]
    for override in stage.overrides:
        now = {key: value for _, keys in laid for key, value in keys.items()}
        if _matches(now, plain(override.when)):
            laid.append(("overrides", plain(override.set)))
    choices = {k: v for _, keys in laid for k, v in keys.items() if k in CHOICES}
    layers = [(f"{origin}, {part}", tree(keys)) for part, keys in laid]
    return Cell(name, row, choices, tuple((o, layer) for o, layer in layers if layer))


def flat(keys: Mapping[str, Any]) -> Keys:
    """Sections as dotted paths."""
    return dict(leaves(keys))


def tree(keys: Mapping[str, Any]) -> dict[str, Any]:
    """The partial spec in dotted keys; choices are left out."""
    found: dict[str, Any] = {}
    for path, value in keys.items():
        if path not in CHOICES:
            set_path(found, path, value)
    return found


def _matches(cell: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    """Whether the cell has every value of the rule; a list means one of them."""
    return all(
        key in cell and (cell[key] in value if isinstance(value, list) else cell[key] == value)
        for key, value in rule.items()
    )


def shown(value: Any) -> str:
    """One value, short."""
    if isinstance(value, Mapping):
        rest = [f"{k} {shown(v)}" for k, v in value.items() if k != "type"]
        return " ".join([str(value.get("type", "")), *rest]).strip()
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)


def name_of(cell: Cell, arch: str, dataset: str, preset: str) -> str:
    """A job's name that tells the cells of a campaign apart, as far as 64 characters go."""
    if "name" in cell.choices:
        return str(cell.choices["name"])
    rest = [f"{_tail(key)}{shown(value)}" for key, value in cell.axes.items() if key not in _SPEAKING]
    stage = [] if cell.stage == MAIN else [cell.stage]
    text = "_".join([arch, dataset, preset, *stage, *rest])
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:_LONGEST_NAME].strip("-")


def _tail(key: str) -> str:
    """`lr` of `train.optim_g.lr`."""
    return key.rpartition(".")[2]
