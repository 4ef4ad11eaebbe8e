"""From a preset's name to a complete JobSpec.

Layers, later ones win: architecture < data set < preset < overrides (files, then flags). What is derived is
derived after the overrides, and every value keeps the name of where it came from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from srqueue.errors import SpecError
from srqueue.spec.derive import PictureStats, data_notices, derive
from srqueue.spec.job import JobSpec
from srqueue.spec.layers import Layers, assignment, get_path, normalised, set_path
from srqueue.spec.networks import SPANDREL
from srqueue.spec.presets import Preset, load_architecture, load_preset, names
from srqueue.spec.rates import rate_remark, recipe_remark
from srqueue.spec.reading import read_value
from srqueue.spec.validate import validate

DEFAULT_ARCHITECTURE = "paragonsr2_nano"


@dataclass(frozen=True)
class DatasetRef:
    """A data set as a spec names it, and what is known of its pictures.

    `val_name` equal to `name` means its held-out share. `scale` is that of its pairs, or of those that it
    validates on (then `own_scale` is false: another validation set may be of another).
    """

    name: str
    identity: str | None = None
    scale: int | None = None
    val_name: str | None = None
    val_identity: str | None = None
    stats: PictureStats = field(default_factory=PictureStats)
    own_scale: bool = True


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
    architecture_from: str = "flag --arch",
    overrides: Sequence[tuple[str, Mapping[str, Any]]] = (),
    name: str | None = None,
) -> Expanded:
    """Expands a preset for a data set into a complete spec.

    `overrides`: (origin, partial spec) pairs, later ones win; `architecture_from`: the origin of what
    `architecture` decides. Raises SpecError with every problem found.
    """
    chosen = load_preset(preset)
    flat = [(origin, normalised(layer, origin)) for origin, layer in overrides]
    named = [get_path(layer, "network_g.type") for _, layer in flat]
    wanted = architecture or next((t for t in reversed(named) if t), None)
    wanted = str(wanted or chosen.architecture or DEFAULT_ARCHITECTURE)
    network = load_architecture(wanted)

    layers = Layers()
    layers.lay(network.tree, f"architecture {wanted}")
    if dataset.name in names("datasets"):
        layers.lay(load_preset(dataset.name, "datasets").tree, f"data set preset {dataset.name}")
    layers.lay(dataset_layer(dataset), f"data set {dataset.name}")
    preset_total = _lay_preset(layers, chosen, wanted)
    for origin, layer in flat:
        layers.lay(layer, origin)
    if architecture:
        for key in ("type", "name"):
            if (value := get_path(network.tree, f"network_g.{key}")) is not None:
                layers.put(f"network_g.{key}", value, architecture_from)
    fits_pairs(layers, dataset)
    derive(layers, dataset.stats, preset_total)
    if name is not None:
        layers.put("name", name, "flag --name")
    elif layers.get("name") is None:
        layers.put("name", f"{wanted}_{dataset.name}_{preset}".replace(":", "-")[:64], "derived")

    spec = validate(layers.tree, f"preset {preset} for data set {dataset.name}", layers.origins)
    told = [recipe_remark(preset, spec), *notices(spec, dataset.stats)]
    return Expanded(spec, dict(layers.origins), tuple(filter(None, told)))


def set_value(text: str) -> dict[str, Any]:
    """The partial spec that one `--set key.path=value` stands for."""
    path, value = assignment(text)
    layer: dict[str, Any] = {}
    set_path(layer, path, read_value(value, f"--set {path}"))
    return layer


def dataset_layer(dataset: DatasetRef) -> dict[str, Any]:
    """The partial spec that names a data set and what it validates on."""
    layer: dict[str, Any] = {"datasets": {"train": {"name": dataset.name, "identity": dataset.identity}}}
    if dataset.scale is not None:
        layer["scale"] = dataset.scale
    if dataset.val_name:
        layer["datasets"]["val"] = {"name": dataset.val_name, "identity": dataset.val_identity}
    return layer


def _lay_preset(layers: Layers, preset: Preset, wanted: str) -> int | None:
    """Lays a preset value by value, so that each keeps the preset (or what it extends) as its origin."""
    own_network = get_path(preset.tree, "network_g.type")
    for path, origin in preset.origins.items():
        if path.startswith("network_g.") and own_network and wanted not in (own_network, preset.architecture):
            continue  # arguments of another network than the one that was asked for
        layers.put(path, get_path(preset.tree, path), origin)
    layers.lay(preset.for_architecture.get(wanted, {}), f"preset {preset.name} for {wanted}")
    total = layers.get("train.total_iter")
    return total if isinstance(total, int) else None


def fits_pairs(layers: Layers, dataset: DatasetRef) -> None:
    """The pairs on disk have one scale; a spec for another cannot be trained on them."""
    scale = layers.get("scale")
    if dataset.scale is not None and dataset.own_scale and scale != dataset.scale:
        raise SpecError(
            f"the pairs of data set {dataset.name!r} are x{dataset.scale}, the spec asks for x{scale}",
            where="scale",
            hint="leave `scale` out, or add the HR folder alone under another name: its LR then fits",
        )


def notices(spec: JobSpec, stats: PictureStats) -> list[str]:
    """What a user should know about a spec and its pictures before it is queued."""
    found = data_notices(stats, spec.datasets.train.effective_batch)
    if remark := rate_remark(spec):
        found.append(remark)
    if spec.network_g.type == SPANDREL:
        found.append("the network is spandrel's: the worker needs pip install 'srqueue[archs]'")
    if spec.datasets.val is None or not spec.val.val_enabled:
        found.append("no validation: early stopping and the best checkpoint need one; the last weights count")
    elif spec.val.val_freq > spec.train.total_iter:
        found.append("val_freq is longer than the run: it validates once, at the end")
    else:
        found += _impatient(spec)
    return found


def _impatient(spec: JobSpec) -> list[str]:
    """Patiences that end before the next validation, so that each validation without a gain counts."""
    automations = spec.train.training_automations
    rate, stopping = automations.IntelligentLearningRateScheduler, automations.IntelligentEarlyStopping
    watched = (
        (
            rate.enabled,
            "IntelligentLearningRateScheduler.plateau_patience",
            rate.plateau_patience,
            "cuts the rate",
        ),
        (stopping.enabled, "IntelligentEarlyStopping.patience", stopping.patience, "ends the run"),
    )
    return [
        f"{name} ({patience} iterations) is shorter than val.val_freq ({spec.val.val_freq}): the first "
        f"validation without a gain {acts}"
        for enabled, name, patience, acts in watched
        if automations.enabled and enabled and patience < spec.val.val_freq
    ]
