"""`create_zero_config_training(...)`: the paper's call, over spec/ and datasets/."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from srqueue.datasets import DatasetEntry, Registry, add, dataset_ref
from srqueue.errors import UsageError
from srqueue.settings import Settings, load_settings
from srqueue.spec.expand import expand

# Folder names that say which half of a pair they hold, not which data set they are.
_GENERIC = {"hr", "gt", "lr", "lq", "train", "val", "valid", "images", "img", "data", "dataset"}


def create_zero_config_training(
    architecture: str,
    dataset_gt_path: str | os.PathLike[str],
    dataset_lq_path: str | os.PathLike[str] | None = None,
    val_gt_path: str | os.PathLike[str] | None = None,
    val_lq_path: str | os.PathLike[str] | None = None,
    custom_overrides: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A complete training config from folders of pictures: the convenience preset plus `custom_overrides`.

    The folders are registered as data sets on this machine (one that is registered already is found again),
    and the config names them. Without validation folders a share of the training pictures is held out.

    Returns the config as a plain dict in the paper's YAML dialect, ready for `srqueue.submit(config)`.
    Raises SpecError for an unknown architecture or override, DataError for folders that do not hold pairs.
    """
    settings = load_settings()
    if val_lq_path is not None and val_gt_path is None:
        raise UsageError("val_lq_path is given without val_gt_path", hint="give both, or neither")
    overrides = [("custom_overrides", custom_overrides)] if custom_overrides else []
    val = _registered(settings, Path(val_gt_path), val_lq_path, None).name if val_gt_path else None
    train = _registered(settings, Path(dataset_gt_path), dataset_lq_path, val)
    ref = dataset_ref(Registry(settings), train.name)
    expanded = expand(ref, preset="convenience", architecture=architecture, overrides=overrides)
    return expanded.spec.model_dump(mode="json")


def _registered(
    settings: Settings, hr: Path, lr: str | os.PathLike[str] | None, val: str | None
) -> DatasetEntry:
    """The data set of these folders, registered now if it was not."""
    hr = hr.expanduser().resolve()
    low = Path(lr).expanduser().resolve() if lr is not None else None
    for entry in Registry(settings).entries():
        same_folders = Path(entry.hr) == hr and (Path(entry.lr) if entry.lr else None) == low
        if same_folders and val in (None, entry.val):
            return entry
    return add(settings, _name_for(hr, low, val), hr, low, val=val)


def _name_for(hr: Path, low: Path | None, val: str | None) -> str:
    """A name that a person recognises and no other folder gets: last telling folder plus a short digest."""
    telling = next(
        (p for p in reversed(hr.parts) if p.lower() not in _GENERIC and p != hr.anchor), "pictures"
    )
    word = re.sub(r"[^A-Za-z0-9._-]+", "-", telling).strip("-._")[:48] or "pictures"
    digest = hashlib.sha256("\0".join([str(hr), str(low), str(val)]).encode()).hexdigest()[:6]
    return f"{word}-{digest}"
