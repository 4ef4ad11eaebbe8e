"""Presets: partial specs that people maintain as YAML files.

presets/fidelity/NAME.yaml       {description, extends?, architecture?, spec, for_architecture?}
presets/architectures/NAME.yaml  {description, measured?, spec}
presets/datasets/NAME.yaml       {description, spec}
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from srqueue.errors import SpecError, did_you_mean
from srqueue.spec.layers import Layers
from srqueue.spec.networks import SPANDREL, network_keys
from srqueue.spec.reading import read_mapping

Kind = Literal["fidelity", "architectures", "datasets"]
_NOUNS: dict[str, str] = {
    "fidelity": "preset",
    "architectures": "architecture",
    "datasets": "data set preset",
}
_KEYS = {"description", "extends", "architecture", "measured", "spec", "for_architecture"}


@dataclass(frozen=True)
class Preset:
    """One preset file, with what it extends laid underneath.

    `for_architecture`: what else it says for one architecture. `measured`: of an architecture, the rate that
    was measured best for it, by optimizer.
    """

    name: str
    description: str
    architecture: str | None
    tree: dict[str, Any]
    origins: dict[str, str]
    measured: dict[str, float] = field(default_factory=dict)
    for_architecture: dict[str, dict[str, Any]] = field(default_factory=dict)


def presets_folder() -> Path:
    """Where the YAML files lie: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    installed = package / "presets"
    return installed if installed.is_dir() else package.parent / "presets"


def names(kind: Kind) -> list[str]:
    """Names of all presets of a kind, sorted."""
    folder = presets_folder() / kind
    return list(_names(folder, folder.stat().st_mtime_ns))


@lru_cache(maxsize=8)
def _names(folder: Path, changed: int) -> tuple[str, ...]:
    """A folder as it was when a file last came or went."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def preset_names() -> list[str]:
    """Names of the fidelity presets."""
    return names("fidelity")


def architecture_names() -> list[str]:
    """Names of the architectures."""
    return names("architectures")


def load_preset(name: str, kind: Kind = "fidelity", _above: tuple[str, ...] = ()) -> Preset:
    """Reads a preset with everything it extends. Raises SpecError with did-you-mean for an unknown name."""
    noun = _NOUNS[kind]
    if name not in names(kind):
        raise SpecError(f"no {noun} {name!r}", hint=did_you_mean(name, names(kind)))
    if name in _above:
        raise SpecError(f"the presets extend each other in a circle: {' -> '.join((*_above, name))}")
    file = presets_folder() / kind / f"{name}.yaml"
    raw = copy.deepcopy(_read(file, file.stat().st_mtime_ns))
    for key in raw.keys() - _KEYS:
        raise SpecError(f"unknown key {key!r} in a preset", where=str(file), hint=did_you_mean(key, _KEYS))
    layers, architecture = Layers(), raw.get("architecture")
    if "extends" in raw:
        below = load_preset(raw["extends"], kind, (*_above, name))
        layers = Layers(below.tree, below.origins)
        architecture = architecture or below.architecture
    body = raw.get("spec") or {}
    if not isinstance(body, Mapping):
        raise SpecError("`spec` must hold `key: value` lines", where=str(file))
    layers.lay(body, f"{noun} {name}")
    measured = {str(optimizer): float(rate) for optimizer, rate in (raw.get("measured") or {}).items()}
    description = str(raw.get("description", ""))
    special = {str(arch): dict(changes) for arch, changes in (raw.get("for_architecture") or {}).items()}
    return Preset(name, description, architecture, layers.tree, layers.origins, measured, special)


@lru_cache(maxsize=64)
def _read(file: Path, changed: int) -> dict[str, Any]:
    """A file as it was when it was last changed: ten thousand cells of a campaign read it once."""
    return read_mapping(file)


def load_architecture(name: str) -> Preset:
    """An architecture's preset. `spandrel` and `spandrel:NAME` have no file and stand for themselves.

    Raises SpecError with did-you-mean for an unknown name.
    """
    if name.partition(":")[0] == SPANDREL:
        return Preset(name, "a network of the spandrel library", None, {"network_g": network_keys(name)}, {})
    if name not in names("architectures"):
        hint = f"{did_you_mean(name, names('architectures'))}; or {SPANDREL}:NAME, a network of spandrel"
        raise SpecError(f"no architecture {name!r}", hint=hint)
    return load_preset(name, "architectures")
