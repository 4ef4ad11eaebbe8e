"""The `train` section of a traiNNer-redux YAML: optimizer, schedule, losses, automations."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from srqueue.spec.automations import AutomationsSpec
from srqueue.spec.layers import get_path, set_path
from srqueue.spec.redux_tables import LOSSES, LOST_LOSSES, OPTIMIZER_ABSENT, OPTIMIZERS

_OLD_LOSSES = re.compile(r"train\.\w+_opt\Z")
_BATCH = "works another way here: the trainer finds by itself how many crops fit at once"
_CLIPPING = "it clips at a multiple of the usual norm here (factor, momentum, warmup), without bounds"
_METRICS = {"val/psnr", "val/ssim", "val/psnr_rgb", "train/loss"}


@dataclass
class Imported:
    """What a YAML of traiNNer-redux became.

    `spec`: partial, to be laid over a preset; `lost`, `needless`: key -> why; `notes`: what means something
    else here; `folders`: `train` and `val` -> their HR and their LR folders.
    """

    spec: dict[str, Any] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    needless: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    folders: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)


def read_train(raw: Mapping[str, Any], found: Imported) -> Iterator[str]:
    """Carries the section over; yields the paths that were read."""
    for read in (_optimizer, _schedule, _losses, _automations, _dynamic):
        yield from read(raw, found)


def is_schedule_free(found: Imported, path: str) -> bool:
    """Whether the optimizer leaves no room for what stands at `path`."""
    ours = get_path(found.spec, "train.optim_g.type") == "ScheduleFreeAdamW"
    return ours and path in ("train.ema_decay", "train.scheduler")


def _optimizer(raw: Mapping[str, Any], found: Imported) -> Iterator[str]:
    yield "train.optim_g"
    given = get_path(raw, "train.optim_g")
    if not isinstance(given, Mapping):
        return
    kind = re.sub(r"[^a-z0-9]", "", str(given.get("type", "AdamW")).lower())
    ours = OPTIMIZERS.get(kind)
    if ours is None:
        found.lost["train.optim_g"] = (
            f"there is no optimizer {given.get('type')!r} here, and its rate means nothing to another: "
            "the preset's stays"
        )
        return
    wanted: dict[str, Any] = {"type": ours, **OPTIMIZER_ABSENT[ours]}
    for key, value in given.items():
        if key in ("lr", "weight_decay", "betas"):
            wanted[key] = value
        elif key != "type":
            found.lost[f"train.optim_g.{key}"] = f"{ours} has no such argument here"
    set_path(found.spec, "train.optim_g", wanted)
    if ours == "ScheduleFreeAdamW":
        yield from ("train.ema_decay", "train.scheduler")
        why = "ScheduleFreeAdamW averages by itself instead of lowering the rate"
        found.needless |= {p: why for p in ("train.ema_decay", "train.scheduler") if get_path(raw, p)}


def _schedule(raw: Mapping[str, Any], found: Imported) -> Iterator[str]:
    path = "train.scheduler"
    yield path
    given = get_path(raw, path)
    if not isinstance(given, Mapping) or is_schedule_free(found, path):
        return
    kind = re.sub(r"[^a-z]", "", str(given.get("type", "")).lower())
    total, rate = get_path(raw, "train.total_iter"), get_path(raw, "train.optim_g.lr")
    if kind == "multisteplr":
        given_ones = [m for m in given.get("milestones") or [] if isinstance(m, int)]
        milestones = [m for m in given_ones if not isinstance(total, int) or m < total]
        wanted = {"type": "multistep", "milestones": milestones, "gamma": given.get("gamma", 0.1)}
        set_path(found.spec, path, wanted if milestones else {"type": "constant"})
    elif kind in ("cosineannealinglr", "cosineannealingrestartlr"):
        floor = given.get("eta_min", 0)
        share = (
            floor / rate if isinstance(rate, int | float) and rate and isinstance(floor, int | float) else 0
        )
        set_path(found.spec, path, {"type": "cosine", "min_factor": min(max(share, 0.0), 1.0)})
        length = given.get("T_max", given.get("periods", total))
        if length not in (total, [total]):
            found.notes.append(f"the cosine ends with the run, not after {length} iterations as there")
    else:
        found.lost[path] = f"there is no schedule {given.get('type')!r} here: the rate stays constant"
        set_path(found.spec, path, {"type": "constant"})


def _losses(raw: Mapping[str, Any], found: Imported) -> Iterator[str]:
    train = raw.get("train")
    train = train if isinstance(train, Mapping) else {}
    losses = train.get("losses")
    listed = [
        (f"train.losses.{i}", loss) for i, loss in enumerate(losses if isinstance(losses, list) else [])
    ]
    old = [(f"train.{key}", train[key]) for key in train if _OLD_LOSSES.match(f"train.{key}")]
    yield from ("train.losses", *(path for path, _ in old))
    wanted = [ours for path, loss in [*listed, *old] if (ours := _loss(path, loss, found))]
    if wanted:
        set_path(found.spec, "train.losses", wanted)


def _loss(path: str, given: Any, found: Imported) -> dict[str, Any] | None:
    if not isinstance(given, Mapping):
        return None
    kind = re.sub(r"[^a-z0-9]", "", str(given.get("type", "")).lower())
    weight = given.get("loss_weight", 1.0)
    if weight == 0:
        return None
    where = f"{path} ({given.get('type')})"
    if kind not in LOSSES:
        found.lost[where] = LOST_LOSSES.get(kind, "there is no such loss here")
        return None
    if given.get("reduction", "mean") != "mean":
        found.lost[f"{path}.reduction"] = "losses are means here"
    if kind == "ssimloss":
        found.notes.append(
            "ssimloss had the wrong sign there: training made SSIM worse. Here ssim is 1 - SSIM, and its "
            "weight does what it says"
        )
    ours: dict[str, Any] = {"type": LOSSES[kind], "loss_weight": weight}
    if kind == "charbonnierloss":  # theirs is sqrt(d^2 + eps), ours sqrt(d^2 + eps^2)
        eps = given.get("eps", 1e-12)
        ours["eps"] = math.sqrt(eps) if isinstance(eps, int | float) and eps > 0 else eps
    return ours


def _automations(raw: Mapping[str, Any], found: Imported) -> Iterator[str]:
    """What the fork calls as we do; of its adaptive clipping only whether it is on, ours needs no bounds."""
    path = "train.training_automations"
    yield path
    given = get_path(raw, path)
    if not isinstance(given, Mapping):
        return
    kept: dict[str, Any] = {"enabled": bool(given.get("enabled", True))}
    for name, section in given.items():
        if name == "enabled" or not isinstance(section, Mapping):
            continue
        if name == "AdaptiveGradientClipping":
            set_path(kept, f"{name}.enabled", bool(section.get("enabled", True)))
            found.lost |= {f"{path}.{name}.{key}": _CLIPPING for key in section if key != "enabled"}
            continue
        if name not in AutomationsSpec.model_fields:
            known = name == "DynamicBatchSizeOptimizer"
            found.lost[f"{path}.{name}"] = _BATCH if known else "there is no such automation here"
            continue
        model: Any = AutomationsSpec.model_fields[name].annotation
        for key, value in section.items():
            if key not in model.model_fields:
                found.lost[f"{path}.{name}.{key}"] = "it was not acted on there, or means nothing here"
            elif key == "monitor_metric" and value not in _METRICS:
                found.lost[f"{path}.{name}.{key}"] = f"{value!r} is not measured here"
            else:
                set_path(kept, f"{name}.{key}", value)
    if get_path(kept, "IntelligentEarlyStopping.patience"):
        found.notes.append("early stopping's patience counts iterations here; there it counted validations")
    set_path(found.spec, path, kept)


def _dynamic(raw: Mapping[str, Any], found: Imported) -> Iterator[str]:
    path = "train.dynamic_loss_scheduling"
    yield path
    given = get_path(raw, path)
    if not isinstance(given, Mapping):
        return
    kept = {key: bool(given[key]) for key in ("enabled", "auto_calibrate") if key in given}
    set_path(found.spec, path, {"enabled": False, **kept})
    for key in given.keys() - kept.keys():
        found.lost[f"{path}.{key}"] = "weights follow the measured gradients here, not the losses' trends"
