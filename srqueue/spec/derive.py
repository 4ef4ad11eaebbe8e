"""Values of a preset that data, length or optimizer make unfit, derived anew.

What the user set is never touched. Pure: the same layers and figures give the same spec on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from srqueue.counting import counted
from srqueue.spec.automations import (
    AdaptiveClippingSpec,
    DynamicLossSpec,
    EarlyStoppingSpec,
    LearningRateAutomationSpec,
)
from srqueue.spec.layers import Layers
from srqueue.spec.thresholds import fit_threshold

_STOPPING = "train.training_automations.IntelligentEarlyStopping.patience"
_CUTTING = "train.training_automations.IntelligentLearningRateScheduler.plateau_patience"
_SCALED = ("train.warmup_iter", _STOPPING, _CUTTING, "val.val_freq", "train.scheduler.milestones")
"""Lengths in iterations that a shorter run shrinks in proportion."""

_BEGINNINGS = {
    "train.training_automations.AdaptiveGradientClipping.warmup": AdaptiveClippingSpec().warmup,
    "train.dynamic_loss_scheduling.interval": DynamicLossSpec().interval,
}
"""Steps before something acts for the first time -> how many where nothing is said."""

SHORTEST_VAL_FREQ = 50
"""Iterations: validating more often than this costs more than it tells."""
_FEWEST_VALIDATIONS = 10
_PATIENT_VALIDATIONS = {_STOPPING: 2, _CUTTING: 1}
"""How many validations a patience must be able to see."""
_PATIENCES = {
    _STOPPING: EarlyStoppingSpec().patience,
    _CUTTING: LearningRateAutomationSpec().plateau_patience,
}
"""Where nothing is said."""

CROP_STEP = 8
"""Pixels: crops are multiples of it, and none is smaller."""

FEW_PIXELS = 2e6
"""Pixels of all training pictures together below which a run learns them by heart; T91, the smallest set that
is in use, has 5.4 million."""

BLURRED = 0.3
"""Sharpness below which pictures look blurred or enlarged: photographs at their own resolution have 0.4 to
0.8, enlarged ones 0.16 to 0.29 (T91, BSDS200, B100, Set14 and Set5; workers.data_tools.sharpness)."""


@dataclass(frozen=True)
class PictureStats:
    """What is known of a data set's training pictures; 0 is unknown.

    `pictures`: how many; `p5_side`: 5th percentile of their shorter sides, HR pixels; `median_width`,
    `median_height`: HR pixels; `sharpness`: their median, as the data tools measure it.
    """

    pictures: int = 0
    p5_side: int = 0
    median_width: int = 0
    median_height: int = 0
    sharpness: float = 0.0

    @property
    def pixels(self) -> int:
        """About how many pixels all of them have together."""
        return self.pictures * self.median_width * self.median_height

    @property
    def blurred(self) -> bool:
        """Whether they are softer than photographs at their full resolution."""
        return 0 < self.sharpness < BLURRED

    def too_few(self, batch: int) -> str | None:
        """Why these are too little to train long on, or None."""
        if 0 < self.pictures < batch:
            return f"only {counted(self.pictures, 'picture')} to train on, fewer than one batch of {batch}"
        if 0 < self.pixels < FEW_PIXELS:
            return f"only {self.pixels / 1e6:.1f} million pixels to train on"
        return None


def derive(layers: Layers, stats: PictureStats, preset_total: int | None) -> None:
    """Derives in place; each value then has the origin `derived: why` or `scaled: ...`.

    `preset_total`: `train.total_iter` of the preset.
    """
    _scale_lengths(layers, preset_total)
    _keep_lengths_useful(layers)
    _lose_patience_in_time(layers)
    _begin_in_time(layers)
    _fit_crop(layers, stats)
    _fit_optimizer(layers)
    fit_threshold(layers)


def data_notices(stats: PictureStats, batch: int) -> list[str]:
    """What a user should know about the pictures before hours are spent on them."""
    found = []
    if few := stats.too_few(batch):
        found.append(f"{few}: more pictures will gain more than more iterations")
    if stats.blurred:
        found.append(
            f"the pictures look blurred or enlarged (sharpness {stats.sharpness:.2g}, photographs have 0.4 "
            "to 0.8): a network learns no more detail than they have; shrink them, or take others"
        )
    return found


def _is_presets(layers: Layers, path: str) -> bool:
    return layers.origins.get(path, "").startswith(("preset ", "scaled: "))


def _count(layers: Layers, path: str) -> int | None:
    """The whole number at a path; None for what is missing or will be refused."""
    value = layers.get(path)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _scale_lengths(layers: Layers, preset_total: int | None) -> None:
    """Shrinks the preset's own lengths where the user asked for fewer iterations than the preset has."""
    total = _count(layers, "train.total_iter")
    if total is None or preset_total is None or total >= preset_total:
        return
    for path in _SCALED:
        if _is_presets(layers, path):
            shrunk = _shrunk(layers.get(path), total, preset_total)
            origin = f"scaled: {layers.origins[path]}, {total} of {preset_total} iterations"
            layers.put(path, shrunk, origin)
            if path == "train.warmup_iter" and isinstance(shrunk, int) and shrunk >= total:
                layers.put(path, total - 1, origin)


def _shrunk(value: Any, total: int, preset_total: int) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return sorted({_shrunk(v, total, preset_total) for v in value} - {total}) or [1]
    return max(1, round(value * total / preset_total)) if isinstance(value, int) and value else value


def _keep_lengths_useful(layers: Layers) -> None:
    """Validations neither too often nor too seldom, and patience enough to see some of them."""
    total, each = _count(layers, "train.total_iter"), _count(layers, "val.val_freq")
    if total is None or each is None:
        return
    if layers.origins.get("val.val_freq", "").startswith("scaled: "):
        longest = max(total // _FEWEST_VALIDATIONS, SHORTEST_VAL_FREQ)
        useful = min(max(each, SHORTEST_VAL_FREQ), longest, total)
        if useful != each:
            why = f"derived: {total} iterations, validated each {SHORTEST_VAL_FREQ} at the most often"
            layers.put("val.val_freq", useful, why)
            each = useful
    for path, validations in _PATIENT_VALIDATIONS.items():
        patience = _count(layers, path)
        if patience is not None and patience < validations * each and _is_presets(layers, path):
            why = f"derived: at least {_words(validations)}, one each {each} iterations"
            layers.put(path, min(validations * each, total), why)


def _lose_patience_in_time(layers: Layers) -> None:
    """A patience that nobody set ends before the run does: a default that is longer is no wish."""
    total, each = _count(layers, "train.total_iter"), _count(layers, "val.val_freq") or 0
    if total is None or layers.get("train.training_automations.enabled") is not True:
        return
    for path, validations in _PATIENT_VALIDATIONS.items():
        automation = path.rpartition(".")[0]
        if layers.get(f"{automation}.enabled") is False or _PATIENCES[path] <= total:
            continue
        if path not in layers.origins:
            patience = min(max(total // 10, validations * each, 1), total)
            why = f"derived: a tenth of {total} iterations, at least {_words(validations)}"
            layers.put(path, patience, why)


def _words(validations: int) -> str:
    return "two validations" if validations == 2 else "one validation"


def _begin_in_time(layers: Layers) -> None:
    """What is switched on acts before the end, also in a run that is shorter than its own first wait."""
    total = _count(layers, "train.total_iter")
    for path, usual in _BEGINNINGS.items():
        section = path.rpartition(".")[0]
        steps = _count(layers, path) or usual
        if total is None or steps < total or layers.get(f"{section}.enabled") is not True:
            continue
        if path not in layers.origins or _is_presets(layers, path):
            layers.put(path, max(total // 10, 1), f"derived: a tenth of {total} iterations")


def _fit_crop(layers: Layers, stats: PictureStats) -> None:
    """Crops that 95 % of the pictures are large enough for."""
    path = "datasets.train.lq_size"
    side, scale = _count(layers, path), _count(layers, "scale") or 2
    users = not layers.origins.get(path, "").startswith(("preset ", "derived: "))
    if side is None or not stats.p5_side or users:
        return
    allowed = max(stats.p5_side // scale // CROP_STEP * CROP_STEP, CROP_STEP)
    if allowed < side:
        layers.put(path, allowed, f"derived: 95 % of the pictures have sides of {stats.p5_side} or more")


def _fit_optimizer(layers: Layers) -> None:
    """Schedule-free averaging takes the place of the moving average and of the schedule."""
    if layers.get("train.optim_g.type") != "ScheduleFreeAdamW":
        return
    origin = "derived: ScheduleFreeAdamW averages instead of lowering the rate"
    wanted: dict[str, dict[str, Any]] = {
        "train.ema_decay": {"ema_decay": 0.0},
        "train.scheduler.type": {"scheduler": {"type": "constant"}},
    }
    for path, layer in wanted.items():
        if path not in layers.origins or _is_presets(layers, path):
            layers.lay({"train": layer}, origin)
