"""`create_zero_config_training(...)`: the paper's call, over spec/ and datasets/."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from srqueue.datasets import (
    DatasetEntry,
    Registry,
    add,
    check_crop,
    check_scales,
    check_validation,
    dataset_ref,
)
from srqueue.datasets.changes import Changes, changes_of
from srqueue.datasets.tools import say_on_stderr
from srqueue.errors import UsageError
from srqueue.gpus import Gpu, find_gpu
from srqueue.settings import Settings, load_settings
from srqueue.spec.expand import Expanded, expand
from srqueue.spec.layers import normalised
from srqueue.spec.text import annotated_yaml

Folder = str | os.PathLike[str]

# Folder names that say which half of a pair they hold, not which data set they are.
_GENERIC = {"hr", "gt", "lr", "lq", "train", "val", "valid", "images", "img", "data", "dataset"}

_THREADS_BESIDE_GPU = 4

CPU_CROP = 32
"""LR pixels. Four times the steps on small crops: a CPU gains more by them in the same time
(benchmarks/quality.py)."""


def create_zero_config_training(
    architecture: str,
    dataset_gt_path: Folder,
    dataset_lq_path: Folder | None = None,
    val_gt_path: Folder | None = None,
    val_lq_path: Folder | None = None,
    custom_overrides: Mapping[str, Any] | None = None,
    explain: bool = False,
    preset: str = "convenience",
) -> dict[str, Any]:
    """A complete training config from folders of pictures: a preset plus `custom_overrides`.

    The folders are registered as data sets on this machine (one that is registered already is found again),
    and the config names them. Without validation folders a share of the training pictures is held out: 1 %,
    at least one and at most 100. What the pictures and the GPU of this machine make unfit is derived anew;
    with `explain` the config is printed to stderr with where every value came from.

    Returns the config as a plain dict in the paper's YAML dialect, ready for `srqueue.submit(config)`.
    Raises SpecError for an unknown preset, architecture or override, DataError for folders that do not hold
    pairs.
    """
    overrides = [("custom_overrides", custom_overrides)] if custom_overrides is not None else []
    planned = plan(
        architecture,
        dataset_gt_path,
        dataset_lq_path,
        val_gt_path,
        val_lq_path,
        preset=preset,
        architecture_from="argument architecture",
        overrides=overrides,
    )
    spec = planned.spec.model_dump(mode="json")
    for notice in planned.notices:
        print(f"note: {notice}", file=sys.stderr)
    if explain:
        print(annotated_yaml(spec, planned.origins), end="", file=sys.stderr, flush=True)
    return spec


def plan(
    architecture: str | None,
    gt: Folder,
    lq: Folder | None = None,
    val_gt: Folder | None = None,
    val_lq: Folder | None = None,
    *,
    preset: str = "convenience",
    architecture_from: str = "flag --arch",
    overrides: Sequence[tuple[str, Mapping[str, Any]]] = (),
    settings: Settings | None = None,
) -> Expanded:
    """The same as a spec with origins and notices. `overrides`: (origin, partial spec), later ones win.

    `architecture_from`: the origin of what `architecture` decides.
    """
    settings = settings or load_settings()
    overrides = [(origin, normalised(layer, origin)) for origin, layer in overrides]
    if val_lq is not None and val_gt is None:
        raise UsageError("val_lq_path is given without val_gt_path", hint="give both, or neither")
    val = _registered(settings, Path(val_gt), val_lq, None).name if val_gt else None
    train = _registered(settings, Path(gt), lq, val)
    registry = Registry(settings)
    gpu = find_gpu(settings.device)
    # Without another machine's Redis it is this one that will train.
    cpu = settings.device == "cpu" or (gpu is None and settings.redis_url is None)
    layers = [*device_layers(gpu, os.cpu_count() or 1, cpu), *overrides]
    expanded = expand(
        dataset_ref(registry, train.name),
        preset=preset,
        architecture=architecture,
        architecture_from=architecture_from,
        overrides=layers,
    )
    check_scales(registry, expanded.spec)
    check_validation(registry, expanded.spec)
    small = check_crop(registry, train, expanded.spec.datasets.train.lq_size, expanded.spec.scale)
    notices = [*expanded.notices, *([small] if small else []), _expectation(gpu, expanded, train.name)]
    return replace(expanded, notices=tuple(notices))


def device_layers(gpu: Gpu | None, cores: int, cpu: bool = False) -> list[tuple[str, dict[str, Any]]]:
    """(origin, partial spec) of what the device of this machine decides. `cores`: of the CPU.

    bf16 from compute capability 8 on; fp16 on the tensor cores before it (7.x); fp32 on older chips. The
    batch of a GPU is the preset's: what of it fits at once is measured, and the rest is accumulated.
    Without a GPU, or where nothing is known of it, the worker decides. `cpu`: whether a CPU will train for
    certain; the crops are small then.
    """
    if cpu:
        crops = {"datasets": {"train": {"lq_size": CPU_CROP}}}
        small = ("derived: made for a CPU, there is no GPU to train on", crops)
        return [*device_layers(None, cores), small]
    if gpu is None:
        origin = "derived: no GPU on this machine, the worker decides"
        return [(origin, {"compute": {"precision": "auto", "threads": "auto", "micro_batch": "auto"}})]
    layers: list[tuple[str, dict[str, Any]]] = []
    if gpu.capability is None:
        layers.append((f"derived: {gpu.name}, the worker decides", {"compute": {"precision": "auto"}}))
    else:
        precision = "bf16" if gpu.capability >= (8, 0) else "fp16" if gpu.capability >= (7, 0) else "fp32"
        chip = f"{gpu.name}, compute capability {gpu.capability[0]}.{gpu.capability[1]}"
        layers.append((f"derived: {chip}", {"compute": {"precision": precision}}))
    threads = min(_THREADS_BESIDE_GPU, cores)
    layers.append((f"derived: beside a GPU, {cores} cores here", {"compute": {"threads": threads}}))
    memory = f"{gpu.memory_mib / 1024:.0f} GiB" if gpu.memory_mib else "its memory"
    fits = f"derived: the worker measures what fits into {memory}"
    return [*layers, (fits, {"compute": {"micro_batch": "auto"}})]


def _expectation(gpu: Gpu | None, expanded: Expanded, dataset: str) -> str:
    """What the device means for the hours."""
    total = expanded.spec.train.total_iter
    measure = f"srqueue recommend {dataset} --spec FILE measures how long its {total} iterations take"
    if gpu is None:
        return f"no GPU was found on this machine: on a CPU expect hours; {measure}"
    return f"written for {gpu.label}; {measure} on it"


def _registered(settings: Settings, hr: Path, lr: Folder | None, val: str | None) -> DatasetEntry:
    """The data set of these folders, registered now if it was not, and anew where its pictures changed.

    Only what was registered here is registered anew: raises DataError where a name that the user gave stands
    for pictures that changed.
    """
    hr = hr.expanduser().resolve()
    low = Path(lr).expanduser().resolve() if lr is not None else None
    registry, stale = Registry(settings), dict[str, Changes]()
    folders = ((str(hr),), (str(low),) if low else ())
    for entry in registry.entries():
        if (entry.hr_roots, entry.lr_roots) == folders and val in (None, entry.val):
            if not (changes := changes_of(registry, entry.name)):
                return entry
            stale[entry.name] = changes
    for name, changes in stale.items():
        entry = registry.get(name)
        if name == _name_for(hr, low, entry.val):
            say_on_stderr(f"note: {name} is registered again, its folder changed: {changes}")
            return add(settings, name, hr, low, val=entry.val, replace=True)
    for name, changes in stale.items():
        raise changes.refused(registry.get(name))
    return add(settings, _name_for(hr, low, val), hr, low, val=val)


def _name_for(hr: Path, low: Path | None, val: str | None) -> str:
    """A name that a person recognises and no other folder gets: last telling folder plus a short digest."""
    telling = next(
        (p for p in reversed(hr.parts) if p.lower() not in _GENERIC and p != hr.anchor), "pictures"
    )
    word = re.sub(r"[^A-Za-z0-9._-]+", "-", telling).strip("-._")[:48] or "pictures"
    digest = hashlib.sha256("\0".join([str(hr), str(low), str(val)]).encode()).hexdigest()[:6]
    return f"{word}-{digest}"
