"""From a cell to its spec, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from srqueue.campaign.cells import Cell, name_of
from srqueue.errors import SrqueueError
from srqueue.run.folder import check_name
from srqueue.spec.expand import DEFAULT_ARCHITECTURE, DatasetRef, Expanded, expand
from srqueue.spec.presets import load_architecture, load_preset

_T = TypeVar("_T")

PRESET = "convenience"
"""Of a cell that names none."""


class Wrong(Exception):
    """What is wrong with a cell, one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(dict.fromkeys(problems))


class Expander:
    """Expands the cells of one campaign. Those that differ in seed and name only are expanded once.

    `dataset`: what is known of a data set, by its name.
    """

    def __init__(self, campaign: str, dataset: Callable[[str], DatasetRef]) -> None:
        self._origin = f"campaign {campaign}"
        self._dataset = dataset
        self._refs: dict[str, DatasetRef] = {}
        self._known: dict[str, Expanded] = {}

    def expand(self, cell: Cell) -> Expanded:
        """The cell's spec. Raises Wrong."""
        given = cell.choices
        preset, arch, seed = given.get("preset", PRESET), given.get("arch"), given.get("seed")
        plain = seed is None or (isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**63)
        problems: list[str] = []
        kind = repr((given.get("dataset"), preset, arch, cell.layers, seed is None))
        if plain and kind in self._known:
            name = _tried(problems, lambda: self._name(cell, preset, arch))
            if name is None:
                raise Wrong(problems)
            return self._seeded(self._known[kind], seed, name)
        ref = self._ref(given.get("dataset"), problems)
        if not self._is_name(preset, "preset", load_preset, problems):
            preset = PRESET  # the other problems are told as well
        if arch is not None and not self._is_name(arch, "arch", load_architecture, problems):
            arch = None
        name = _tried(problems, lambda: self._name(cell, preset, arch))
        layers = list(cell.layers)
        if seed is not None:
            layers.append((self._origin, {"manual_seed": seed}))
        expanded = _tried(
            problems,
            lambda: expand(
                ref, preset=preset, architecture=arch, architecture_from=self._origin, overrides=layers,
                name=name,
            ),
        )  # fmt: skip
        if problems or expanded is None:
            raise Wrong(problems)
        self._known[kind] = expanded
        return expanded

    def _seeded(self, expanded: Expanded, seed: int | None, name: str) -> Expanded:
        """The same with another seed and name: nothing else of a spec follows from them."""
        changes: dict[str, Any] = {"name": name} if seed is None else {"name": name, "manual_seed": seed}
        origins = expanded.origins if seed is None else {**expanded.origins, "manual_seed": self._origin}
        return replace(expanded, spec=expanded.spec.model_copy(update=changes), origins=origins)

    def _ref(self, name: Any, problems: list[str]) -> DatasetRef:
        if not isinstance(name, str):
            problems.append("no data set is named; give `dataset` in base or matrix")
            return DatasetRef("unknown")
        if name not in self._refs:
            found = _tried(problems, lambda: self._dataset(name))
            if found is None:
                return DatasetRef("unknown")
            self._refs[name] = found
        return self._refs[name]

    def _is_name(self, value: Any, key: str, load: Callable[[str], object], problems: list[str]) -> bool:
        if not isinstance(value, str):
            problems.append(f"{key} is a name, not {value!r}")
            return False
        return _tried(problems, lambda: load(value)) is not None

    def _name(self, cell: Cell, preset: str, arch: str | None) -> str:
        network = arch or (load_preset(preset).architecture or DEFAULT_ARCHITECTURE).replace(":", "-")
        return check_name(name_of(cell, network, str(cell.choices.get("dataset")), preset), "a job")


def _tried(problems: list[str], call: Callable[[], _T]) -> _T | None:
    """What `call` returns; None where it raised, and that is among the problems."""
    try:
        return call()
    except SrqueueError as error:
        lines = error.message.split("\n  ")  # one a problem: cells have some of them in common
        problems += [*lines[:-1], "; ".join(filter(None, [lines[-1], error.hint]))]
        return None
