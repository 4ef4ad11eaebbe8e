"""What a spec's names stand for on this machine: the pictures and the file of weights, by their SHA-256."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from srqueue.datasets import Registry
from srqueue.errors import DataError
from srqueue.queue.places import check_start, here, made_absolute
from srqueue.queue.weights import check_weights
from srqueue.spec.expand import Expanded


def pinned(registry: Registry, expanded: Expanded) -> Expanded:
    """`expanded` with the content of each data set and file that it only names and that is here.

    A worker then refuses other content, and the job's identity has it. What the spec says stays, but for
    paths, which are made absolute; what is not on this machine stays open. Raises DataError where the file
    cannot be read, SpecError where a path leads to something else than it should, or to weights of another
    network.
    """
    expanded = made_absolute(expanded)
    check_start(expanded.spec)
    check_weights(expanded.spec)
    spec, origins = expanded.spec, dict(expanded.origins)
    train, val, path = spec.datasets.train, spec.datasets.val, spec.path
    if train.identity is None and (entry := registry.find(train.name)):
        train = train.model_copy(update={"identity": entry.identity})
        origins["datasets.train.identity"] = f"data set {entry.name}"
    if val is not None and val.identity is None and (entry := registry.find(val.name)):
        val = val.model_copy(update={"identity": entry.identity})
        origins["datasets.val.identity"] = f"data set {entry.name}"
    if path.pretrain_network_g and path.pretrain_sha256 is None:
        file = here(path.pretrain_network_g)
        if file is not None and file.is_file():
            path = path.model_copy(update={"pretrain_sha256": sha256_of(file)})
            origins["path.pretrain_sha256"] = "derived: the file as it is now"
    datasets = spec.datasets.model_copy(update={"train": train, "val": val})
    if (datasets, path) == (spec.datasets, spec.path):
        return expanded
    return replace(
        expanded, spec=spec.model_copy(update={"datasets": datasets, "path": path}), origins=origins
    )


def sha256_of(file: Path) -> str:
    """SHA-256 (hex) of a file. Raises DataError where it cannot be read."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"cannot read the weights: {error.strerror}", where=str(file)) from None
