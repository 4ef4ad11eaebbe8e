"""Twelve short trainings that differ in everything that a checkpoint must hold."""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.faults.place import DATASET
from srqueue.datasets import Registry, dataset_ref
from srqueue.spec.expand import expand
from srqueue.spec.job import JobSpec

Changes = Mapping[str, Any]


def _automations(total: int, **more: Any) -> dict:
    """The presets' automations at this length: some act, and early stopping may begin a decay."""
    return {
        "enabled": True,
        "IntelligentLearningRateScheduler": {"plateau_patience": max(total // 8, 1)},
        "IntelligentEarlyStopping": {"patience": max(total // 2, 1)},
        **more,
    }


def _small(feat: int = 16, conv: int = 2) -> dict:
    return {"type": "compact", "num_feat": feat, "num_conv": conv}


def _clipping(total: int) -> dict:
    return {"AdaptiveGradientClipping": {"enabled": True, "warmup": max(min(50, total // 4), 1)}}


def _dynamic(total: int) -> dict:
    return {"enabled": True, "interval": max(total // 20, 1)}


RECIPES: dict[str, tuple[str, Callable[[int], Changes]]] = {
    "convenience": ("convenience", lambda n: {
        "network_g": _small(),
        "train": {"training_automations": _automations(n), "dynamic_loss_scheduling": _dynamic(n)},
    }),
    "fidelity, small crops": ("fidelity", lambda n: {
        "network_g": _small(24, 2), "datasets": {"train": {"batch_size": 4}},
        "train": {"training_automations": _automations(n), "dynamic_loss_scheduling": _dynamic(n)},
    }),
    "max-fidelity with adaptive clipping, nano": ("max-fidelity", lambda n: {
        "network_g": {"type": "paragonsr2_nano"}, "datasets": {"train": {"batch_size": 4}},
        "train": {
            "training_automations": _automations(n, **_clipping(n)), "dynamic_loss_scheduling": _dynamic(n),
        },
    }),
    "tuned (SOAP, WSD, L1 and luma)": ("tuned", lambda n: {
        "network_g": _small(),
        "train": {"training_automations": _automations(n), "dynamic_loss_scheduling": _dynamic(n)},
    }),
    "quick, bf16": ("quick", lambda n: {
        "network_g": _small(16, 3), "compute": {"precision": "bf16"},
    }),
    "Muon, cosine, Charbonnier, no EMA": ("quick", lambda n: {
        "network_g": _small(),
        "train": {
            "ema_decay": 0.0, "optim_g": {"type": "Muon", "lr": 2e-3, "betas": [0.9, 0.99]},
            "scheduler": {"type": "cosine"}, "losses": [{"type": "charbonnier"}],
        },
    }),
    "schedule-free, L2": ("quick", lambda n: {
        "network_g": _small(),
        "train": {
            "ema_decay": 0.0, "optim_g": {"type": "ScheduleFreeAdamW", "lr": 2.5e-3, "betas": [0.9, 0.99]},
            "scheduler": {"type": "constant"}, "losses": [{"type": "l2"}],
        },
    }),
    "Adam, multistep, FFT and gradient": ("quick", lambda n: {
        "network_g": _small(),
        "train": {
            "optim_g": {"type": "Adam", "lr": 1e-3, "betas": [0.9, 0.99]}, "grad_clip": 0.5,
            "scheduler": {"type": "multistep", "milestones": [n // 2, n * 3 // 4]},
            "losses": [{"type": "l1"}, {"type": "fft", "loss_weight": 0.05},
                       {"type": "gradient", "loss_weight": 0.1}],
        },
    }),
    "micro-batches of 2, two batches a step": ("convenience", lambda n: {
        "network_g": _small(), "compute": {"micro_batch": 2},
        "datasets": {"train": {"batch_size": 4, "accum_iter": 2}},
        "train": {"training_automations": _automations(n), "dynamic_loss_scheduling": _dynamic(n)},
    }),
    "EDSR, MS-SSIM, bf16": ("quick", lambda n: {
        "network_g": {"type": "edsr", "num_feat": 12, "num_block": 2}, "compute": {"precision": "bf16"},
        "train": {
            "optim_g": {"type": "AdamW", "lr": 1e-3, "betas": [0.9, 0.99]},
            "losses": [{"type": "l1"}, {"type": "ms_ssim", "loss_weight": 0.1}],
        },
    }),
    "SPAN, x3, WSD that early stopping begins": ("tuned", lambda n: {
        "scale": 3, "network_g": {"type": "span", "num_feat": 12, "num_block": 2},
        "train": {
            "scheduler": {"type": "wsd", "decay_share": 0.2, "shape": "sqrt", "min_factor": 0.01},
            "training_automations": {
                "enabled": True,
                "IntelligentLearningRateScheduler": {"enabled": False},
                "IntelligentEarlyStopping": {"enabled": True, "patience": max(n // 5, 1)},
            },
            "dynamic_loss_scheduling": _dynamic(n),
        },
    }),
    "degraded crops (blur, noise, JPEG)": ("quick", lambda n: {
        "network_g": _small(),
        "datasets": {"train": {"degradations": {
            "before": [{"type": "blur", "probability": 0.5}],
            "after": [{"type": "noise", "sigma": [1, 8]}, {"type": "jpeg", "probability": 0.5}],
        }}},
    }),
}  # fmt: skip
"""Preset and changes at a length, by what is particular about it."""


def _laid_over(below: Changes, above: Changes) -> dict:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(merged.get(key), Mapping) and isinstance(value, Mapping)
        merged[key] = _laid_over(merged[key], value) if both else value
    return merged


def spec_of(registry: Registry, recipe: str, total: int, seed: int = 1, save_seconds: float = 2.0) -> JobSpec:
    """A recipe at a length, validated eight times, on one thread with everything decided."""
    preset, changes = RECIPES[recipe]
    lengths = {
        "manual_seed": seed,
        "datasets": {"train": {"lq_size": 24, "batch_size": 8}},
        "train": {"total_iter": total, "warmup_iter": total // 20},
        "val": {"val_freq": max(total // 8, 1)},
        "logger": {"print_freq": max(total // 60, 1), "save_checkpoint_seconds": save_seconds},
        "compute": {"device": "cpu", "precision": "fp32", "threads": 1, "micro_batch": 4},
        "preflight": False,
    }
    overrides = [("benchmark", _laid_over(lengths, changes(total)))]
    return expand(dataset_ref(registry, DATASET), preset=preset, overrides=overrides).spec
