"""From a preset's name to a complete JobSpec.

Layers, later ones win: architecture < data set < preset < overrides (files, then flags). What is derived is
derived after the overrides, and every value keeps the name of where it came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srqueue.errors import SpecError
from srqueue.spec.job import JobSpec
from srqueue.spec.layers import Layers, assignment, get_path, normalised, set_path
from srqueue.spec.presets import load_preset, names
from srqueue.spec.reading import read_value
from srqueue.spec.validate import validate

DEFAULT_ARCHITECTURE = "paragonsr2_nano"

# Lengths in iterations that a shorter run shrinks in proportion, where the preset set them.
_SCALED = (
    "train.warmup_iter",
    "train.training_automations.IntelligentEarlyStopping.patience",
    "train.training_automations.IntelligentLearningRateScheduler.plateau_patience",
    "val.val_freq",
)


@dataclass(frozen=True)
class DatasetRef:
    """A data set as a spec names it; `val_name` equal to `name` means its held-out share."""

    name: str
    identity: str | None = None
    scale: int | None = None
    val_name: str | None = None
    val_identity: str | None = None


@dataclass(frozen=True)
class Expanded:
    """A JobSpec, where each value came from (dotted path -> origin), and what the user should know."""

    spec: JobSpec
    origins: dict[str, str]
    notices: tuple[str, ...] = ()


def expand(
    dataset: DatasetRef,
    *,
    preset: str = "convenience",
    architecture: str | None = None,
    overrides: Sequence[tuple[str, Mapping[str, Any]]] = (),
    name: str | None = None,
) -> Expanded:
    """Expands a preset for a data set into a complete spec.

    `overrides`: (origin, partial spec) pairs, later ones win. Raises SpecError with every problem found.
    """
    chosen = load_preset(preset)
    flat = [(origin, normalised(layer, origin)) for origin, layer in overrides]
    named = [get_path(layer, "network_g.type") for _, layer in flat]
    wanted = architecture or next((t for t in reversed(named) if t), None)
    wanted = str(wanted or chosen.architecture or DEFAULT_ARCHITECTURE)
    network = load_preset(wanted, "architectures")

    layers = Layers()
    layers.lay(network.tree, f"architecture {wanted}")
    if dataset.name in names("datasets"):
        layers.lay(load_preset(dataset.name, "datasets").tree, f"data set preset {dataset.name}")
    layers.lay(_dataset_layer(dataset), f"data set {dataset.name}")
    preset_total = _lay_preset(layers, chosen.tree, chosen.origins, wanted)
    for origin, layer in flat:
        layers.lay(layer, origin)
    if architecture:
        layers.put("network_g.type", architecture, "flag --arch")
    _fits_pairs(layers, dataset)
    _scale_lengths(layers, preset_total)
    if name is not None:
        layers.put("name", name, "flag --name")
    elif layers.get("name") is None:
        layers.put("name", f"{wanted}_{dataset.name}_{preset}"[:64], "derived")

    spec = validate(layers.tree, f"preset {preset} for data set {dataset.name}", layers.origins)
    return Expanded(spec, dict(layers.origins), tuple(_notices(spec)))


def set_value(text: str) -> dict[str, Any]:
    """The partial spec that one `--set key.path=value` stands for."""
    path, value = assignment(text)
    layer: dict[str, Any] = {}
    set_path(layer, path, read_value(value, f"--set {path}"))
    return layer


def _dataset_layer(dataset: DatasetRef) -> dict[str, Any]:
    layer: dict[str, Any] = {"datasets": {"train": {"name": dataset.name, "identity": dataset.identity}}}
    if dataset.scale is not None:
        layer["scale"] = dataset.scale
    if dataset.val_name:
        layer["datasets"]["val"] = {"name": dataset.val_name, "identity": dataset.val_identity}
    return layer


def _lay_preset(
    layers: Layers, tree: Mapping[str, Any], origins: Mapping[str, str], network: str
) -> int | None:
    """Lays a preset value by value, so that each keeps the preset (or what it extends) as its origin."""
    own_network = get_path(tree, "network_g.type")
    for path, origin in origins.items():
        if path.startswith("network_g.") and own_network not in (None, network):
            continue  # arguments of another network than the one that was asked for
        layers.put(path, get_path(tree, path), origin)
    total = layers.get("train.total_iter")
    return total if isinstance(total, int) else None


def _fits_pairs(layers: Layers, dataset: DatasetRef) -> None:
    """The pairs on disk have one scale; a spec for another cannot be trained on them."""
    scale = layers.get("scale")
    if dataset.scale is not None and scale != dataset.scale:
        raise SpecError(
            f"the pairs of data set {dataset.name!r} are x{dataset.scale}, the spec asks for x{scale}",
            where="scale",
            hint="leave `scale` out, or add the HR folder alone under another name: its LR then fits",
        )


def _scale_lengths(layers: Layers, preset_total: int | None) -> None:
    """Shrinks the preset's own lengths where the user asked for fewer iterations than the preset has."""
    total = layers.get("train.total_iter")
    if not isinstance(total, int) or preset_total is None or not 0 < total < preset_total:
        return
    for path in _SCALED:
        value = layers.get(path)
        if isinstance(value, int) and layers.origins.get(path, "").startswith("preset "):
            layers.put(path, max(1, round(value * total / preset_total)), "scaled")
    if layers.origins.get("train.warmup_iter") == "scaled" and layers.get("train.warmup_iter") >= total:
        layers.put("train.warmup_iter", total - 1, "scaled")


def _notices(spec: JobSpec) -> list[str]:
    found = []
    if spec.train.dynamic_loss_scheduling.enabled:
        found.append(
            "dynamic_loss_scheduling is recorded but not acted on yet: the loss weights stay as given"
        )
    if spec.datasets.val is None or not spec.val.val_enabled:
        found.append("no validation: early stopping and the best checkpoint need one; the last weights count")
    elif spec.val.val_freq > spec.train.total_iter:
        found.append("val_freq is longer than the run: it validates once, at the end")
    return found
