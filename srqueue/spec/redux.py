"""From a traiNNer-redux YAML to a partial spec, and what of it could not be carried over.

What is written where is in `redux_tables`. There, `ssimloss` returned the similarity itself, which training
then made smaller; here `ssim` is 1 - SSIM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from srqueue.spec.layers import get_path, leaves, set_path
from srqueue.spec.redux_network import read_network
from srqueue.spec.redux_tables import ABSENT, LOST, NEEDLESS, SWITCHED_BY, TAKEN, UNLESS
from srqueue.spec.redux_train import Imported, is_schedule_free, read_train

_SCALES = (2, 3, 4)


def imported(raw: Mapping[str, Any]) -> Imported:
    """Reads a whole YAML of traiNNer-redux. Never fails for a key that is not known: it is `lost` then."""
    found = Imported()
    seen = {*_sections(raw, found)}
    for path, value in leaves(raw):
        if not any(path == s or path.startswith(s + ".") for s in seen):
            _key(raw, path, value, found)
    for path, value in ABSENT.items():
        if get_path(raw, path) is None and not is_schedule_free(found, path):
            set_path(found.spec, path, value)
    return found


def _key(raw: Mapping[str, Any], path: str, value: Any, found: Imported) -> None:
    """One key of a plain value."""
    if value is None or value in _asking_nothing(path):
        return
    if path in TAKEN:
        set_path(found.spec, TAKEN[path], value)
        return
    for table, into in ((LOST, found.lost), (NEEDLESS, found.needless)):
        why = next((w for pattern, w in table.items() if _fits(path, pattern)), None)
        if why is not None:
            switch = SWITCHED_BY.get(why)
            if switch is None or get_path(raw, switch):
                into[path] = why
            return
    found.lost[path] = "there is no such key here"


def _asking_nothing(path: str) -> Any:
    return UNLESS.get(path, ())


def _fits(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern) or fnmatchcase(path, pattern + ".*")


def _sections(raw: Mapping[str, Any], found: Imported) -> Iterator[str]:
    """Carries over what is more than one key; yields the paths that were read."""
    for read in (_top, read_network, _folders, _pretrained, read_train):
        yield from read(raw, found)


def _top(raw: Mapping[str, Any], found: Imported) -> Iterator[str]:
    yield from ("name", "scale", "use_amp", "amp_bf16", "train.warmup_iter", "datasets.train.gt_size")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", str(raw.get("name") or "")).strip("-._")[:64]
    if name:
        found.spec["name"] = name
    scale = raw.get("scale")
    if scale in _SCALES:
        found.spec["scale"] = scale
    elif scale is not None:
        found.lost["scale"] = f"x{scale} is not trained here: 2, 3 or 4"
    if "use_amp" in raw:
        amp, bf16 = raw.get("use_amp"), raw.get("amp_bf16")
        set_path(found.spec, "compute.precision", ("bf16" if bf16 else "fp16") if amp else "fp32")
    warmup = get_path(raw, "train.warmup_iter")
    if isinstance(warmup, int):
        set_path(found.spec, "train.warmup_iter", max(warmup, 0))
    gt_size = get_path(raw, "datasets.train.gt_size")
    if isinstance(gt_size, int) and isinstance(scale, int) and scale > 0:
        set_path(found.spec, "datasets.train.lq_size", gt_size // scale)


def _folders(raw: Mapping[str, Any], found: Imported) -> Iterator[str]:
    sets = raw.get("datasets")
    for name, section in sets.items() if isinstance(sets, Mapping) else ():
        here = f"datasets.{name}"
        yield from (f"{here}.{key}" for key in ("name", "type", "dataroot_gt", "dataroot_lq"))
        if not isinstance(section, Mapping):
            continue
        if name not in ("train", "val"):
            found.lost[here] = "one data set is trained on and one validated on"
            yield here
            continue
        kind = str(section.get("type", "pairedimagedataset")).lower()
        if kind not in ("pairedimagedataset", "singleimagedataset"):
            found.lost[f"{here}.type"] = (
                f"a {kind} is not here: pictures come in pairs, or LR is made by bicubic"
            )
        found.folders[name] = (_roots(section.get("dataroot_gt")), _roots(section.get("dataroot_lq")))


def _roots(value: Any) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [str(part) for part in value] if isinstance(value, list | tuple) else []


def _pretrained(raw: Mapping[str, Any], found: Imported) -> Iterator[str]:
    path = "path.pretrain_network_g"
    yield path
    given = get_path(raw, path)
    if not given:
        return
    if str(given).endswith(".safetensors"):
        set_path(found.spec, path, str(given))
        found.notes.append(f"{given} must hold the tensor names of the network here")
    else:
        found.lost[path] = "only safetensors are read: a .pth file can run code when it is opened; convert it"
