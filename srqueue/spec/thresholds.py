"""What counts as a gain, in the unit of the metric that is watched."""

from __future__ import annotations

from srqueue.spec.automations import ONE_DB, EarlyStoppingSpec
from srqueue.spec.layers import Layers

_STOPPING = "train.training_automations.IntelligentEarlyStopping"
_METRIC, _GAIN = f"{_STOPPING}.monitor_metric", f"{_STOPPING}.min_improvement"


def fit_threshold(layers: Layers) -> None:
    """Presets give `min_improvement` in dB; where the user has another metric watched it is translated.

    0.001 of SSIM is a fifth of a dB: a run that rises steadily would be stopped by it.
    """
    metric = layers.get(_METRIC)
    unit = ONE_DB.get(metric, 1.0) if isinstance(metric, str) else 1.0
    if unit == 1.0 or _is_presets(layers, _METRIC) or not _is_presets(layers, _GAIN):
        return
    given = layers.get(_GAIN)
    decibels = EarlyStoppingSpec().min_improvement if given is None else given
    if isinstance(decibels, int | float) and not isinstance(decibels, bool):
        layers.put(_GAIN, decibels * unit, f"derived: {decibels:g} dB are about that much of {metric}")


def _is_presets(layers: Layers, path: str) -> bool:
    """Whether nobody but a preset, or the default, says it."""
    return layers.origins.get(path, "preset ").startswith("preset ")
