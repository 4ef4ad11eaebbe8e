"""A spec in every variety of training: each loss, optimizer, schedule, automation and precision there is.

Walks the unions of the spec, so that what is added to one of them is among the variations by itself.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, get_args

from srqueue.spec.automations import AutomationsSpec
from srqueue.spec.degradations import DegradationSpec
from srqueue.spec.job import ComputeSpec, JobSpec
from srqueue.spec.losses import LossSpec
from srqueue.spec.optimizers import OptimizerSpec
from srqueue.spec.schedules import SchedulerSpec

_AUTOMATIONS = "train.training_automations"
_NEVER_ENOUGH = 100.0
"""dB: no validation gains as much, so that an automation that waits for it acts."""


def changed(spec: JobSpec, changes: Mapping[str, Any]) -> JobSpec:
    """`spec` with other values at dotted paths. Raises ValidationError where they do not hold."""
    raw = copy.deepcopy(spec.model_dump(mode="json"))
    for path, value in changes.items():
        *sections, last = path.split(".")
        place = raw
        for section in sections:
            place = place[section]
        place[last] = value
    return JobSpec.model_validate(raw)


def variations(spec: JobSpec) -> dict[str, JobSpec]:
    """By name, `spec` itself first. Automations are set so that they act in a run as short as it is."""
    return {"as given": spec, **{name: changed(spec, c) for name, c in _changes(spec).items()}}


def _changes(spec: JobSpec) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for kind in _types(LossSpec):
        losses = [{"type": "l1", "loss_weight": 0.5}, {"type": kind, "loss_weight": 0.5}]
        found[f"loss {kind}"] = {"train.losses": losses}
    for kind in _types(OptimizerSpec):
        found[f"optimizer {kind}"] = {"train.optim_g": {"type": kind}} | _its_own_average(kind)
    for kind in _types(SchedulerSpec):
        found[f"schedule {kind}"] = {"train.scheduler": {"type": kind} | _milestones(kind, spec)}
    for name in AutomationsSpec.model_fields:
        if name != "enabled":
            found[f"automation {name}"] = _alone(name, spec)
    found["dynamic loss weights"] = {
        "train.losses": [{"type": "l1"}, {"type": "ssim", "loss_weight": 0.1}],
        "train.dynamic_loss_scheduling": {"enabled": True, "interval": 5},
    }
    for precision in get_args(ComputeSpec.model_fields["precision"].annotation):
        if precision != "auto":
            found[f"precision {precision}"] = {"compute.precision": precision}
    batch = spec.datasets.train.batch_size
    found["accumulation and micro-batches"] = {
        "datasets.train.accum_iter": 2,
        "compute.micro_batch": max(1, batch // 2),
    }
    found["gradient clipping"] = {"train.grad_clip": 0.01}
    found["no moving average"] = {"train.ema_decay": 0.0}
    found["degraded data"] = {
        "datasets.train.degradations.after": [{"type": t} for t in _types(DegradationSpec)]
    }
    return found


def _types(union: Any) -> list[str]:
    """The `type` of every member."""
    members = get_args(get_args(union)[0])
    return [member.model_fields["type"].default for member in members]


def _its_own_average(kind: str) -> dict[str, Any]:
    if kind != "ScheduleFreeAdamW":
        return {}
    return {"train.ema_decay": 0.0, "train.scheduler": {"type": "constant"}}


def _milestones(kind: str, spec: JobSpec) -> dict[str, Any]:
    total = spec.train.total_iter
    return {"milestones": [max(1, total // 3), max(2, total // 2)]} if kind == "multistep" else {}


def _alone(name: str, spec: JobSpec) -> dict[str, Any]:
    """The changes that switch one automation on and all others off, so that it acts soon and often."""
    total = spec.train.total_iter
    soon: dict[str, dict[str, Any]] = {
        "IntelligentLearningRateScheduler": {
            "plateau_patience": max(1, total // 6),
            "improvement_threshold": 1.0,
        },
        "IntelligentEarlyStopping": {"patience": max(1, total // 2), "min_improvement": _NEVER_ENOUGH},
        "AdaptiveGradientClipping": {"factor": 1.01, "warmup": 5},
    }
    others = {n: {"enabled": n == name} for n in AutomationsSpec.model_fields if n != "enabled"}
    others[name] |= soon.get(name, {})
    found: dict[str, Any] = {_AUTOMATIONS: {"enabled": True, **others}}
    if name == "IntelligentEarlyStopping":  # its end begins the decay
        found["train.scheduler"] = {"type": "wsd"}
    return found
