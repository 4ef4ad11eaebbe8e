"""A complete spec that was written down before, with changes laid over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from srqueue.spec.expand import DatasetRef, Expanded, dataset_layer, fits_pairs, notices
from srqueue.spec.layers import Layers
from srqueue.spec.validate import validate


def complete(
    raw: Mapping[str, Any],
    origin: str,
    *,
    dataset: DatasetRef | None = None,
    overrides: Sequence[tuple[str, Mapping[str, Any]]] = (),
    name: str | None = None,
    origins: Mapping[str, str] | None = None,
) -> Expanded:
    """`raw` as a spec; nothing of it is derived or scaled.

    `dataset` takes the place of the one in `raw`; `overrides`: (origin, partial spec), later ones win;
    `origins`: where the values of `raw` came from, else all came from `origin`. Raises SpecError with every
    problem found.
    """
    layers = Layers()
    layers.lay(raw, origin)
    layers.origins.update({p: o for p, o in (origins or {}).items() if layers.get(p) is not None})
    if dataset is not None:
        layers.put("datasets.val", None, f"data set {dataset.name}")
        layers.lay(dataset_layer(dataset), f"data set {dataset.name}")
    for source, layer in overrides:
        layers.lay(layer, source)
    if dataset is not None:
        fits_pairs(layers, dataset)
    if name is not None:
        layers.put("name", name, "flag --name")
    spec = validate(layers.tree, origin, layers.origins)
    stats = dataset.stats if dataset else DatasetRef(spec.datasets.train.name).stats
    return Expanded(spec, dict(layers.origins), tuple(notices(spec, stats)))
