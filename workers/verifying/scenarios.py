"""Runs in which every field of a checkpoint matters, with the faults that some of them need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from srqueue.errors import DataError
from workers.trainer.data import pairs
from workers.trainer.data.batches import Batches
from workers.trainer.step import Step

_AUTOMATIONS = "train.training_automations"
_BAD_SAMPLE = 12
_SHORT_FROM = 12
_SPOILT_FROM = 25


@dataclass(frozen=True)
class Scenario:
    """Changes to a spec, and faults that every attempt at it meets in the same places."""

    changes: Mapping[str, Any] = field(default_factory=dict)
    faults: Callable[[], None] | None = None


def a_sample_that_is_no_number() -> None:
    """One batch of the run holds NaN: the guard goes back, once."""
    real = Batches.__getitem__

    def getitem(self: Batches, sample: int) -> tuple[Tensor, Tensor]:
        lr, hr = real(self, sample)
        return lr, hr * (float("nan") if sample == _BAD_SAMPLE else 1)

    Batches.__getitem__ = getitem  # type: ignore[method-assign]


def samples_that_spoil() -> None:
    """From some batch on the network is taught the negative: its best lies before that."""
    real = Batches.__getitem__

    def getitem(self: Batches, sample: int) -> tuple[Tensor, Tensor]:
        lr, hr = real(self, sample)
        return lr, 1 - hr if sample >= _SPOILT_FROM else hr

    Batches.__getitem__ = getitem  # type: ignore[method-assign]


def short_of_memory() -> None:
    """From some iteration on, more than two crops at once do not fit."""
    batch, step = Batches.__getitem__, Step._accumulate
    at = [0]

    def getitem(self: Batches, sample: int) -> tuple[Tensor, Tensor]:
        at[0] = sample
        return batch(self, sample)

    def accumulate(self: Step, lr: Tensor, hr: Tensor, *more: Any) -> Tensor:
        if at[0] >= _SHORT_FROM and min(self.micro_batch, len(lr)) > 2:
            raise torch.OutOfMemoryError("out of memory (a fault that is tried)")
        return step(self, lr, hr, *more)

    Batches.__getitem__, Step._accumulate = getitem, accumulate  # type: ignore[method-assign, assignment]


def a_picture_that_cannot_be_read() -> None:
    """One of the training pictures is broken."""
    real: Callable[..., Any] = pairs.read_original  # type: ignore[attr-defined]

    def read(path: Any, sha256: str = "") -> Any:
        if path.name == "1.png":
            raise DataError("a picture is broken (a fault that is tried)", where=str(path))
        return real(path, sha256)

    pairs.read_original = read  # type: ignore[attr-defined]


LENGTH = 160
"""Iterations of each."""

SCENARIOS: dict[str, Scenario] = {
    "automations": Scenario(
        {
            _AUTOMATIONS: {
                "enabled": True,
                "IntelligentLearningRateScheduler": {"plateau_patience": 20, "improvement_threshold": 1.0},
                # It waits for a gain that never comes, so that what it has seen stays what it has seen.
                "IntelligentEarlyStopping": {
                    "patience": LENGTH - 5,
                    "min_improvement": 100.0,
                    "monitor_metric": "train/loss",
                },
                "AdaptiveGradientClipping": {"enabled": True, "factor": 1.01, "warmup": 5},
            },
            "train.losses": [{"type": "l1"}, {"type": "ssim", "loss_weight": 0.1}],
            "train.dynamic_loss_scheduling": {"enabled": True, "interval": 7},
            "train.optim_g": {"type": "AdamW", "lr": 5e-3},
            "train.scheduler": {"type": "constant"},
            "stop": [f"< 100 dB in {LENGTH - 5} it"],  # it waits for a full window, as long as it lasts
        }
    ),
    "decay": Scenario(
        {
            "train.scheduler": {"type": "wsd", "decay_share": 0.5},
            _AUTOMATIONS: {
                "enabled": True,
                "IntelligentLearningRateScheduler": {"enabled": False},
                "IntelligentEarlyStopping": {"patience": 30, "min_improvement": 100.0},
            },
        }
    ),
    "fp16": Scenario({"compute.precision": "fp16"}),
    "going back": Scenario(faults=a_sample_that_is_no_number),
    "past its best": Scenario(
        {"train.divergence_guard": {"enabled": False}, "train.ema_decay": 0.0}, samples_that_spoil
    ),
    "short of memory": Scenario(faults=short_of_memory),
    "a bad picture": Scenario(faults=a_picture_that_cannot_be_read),
    "dead": Scenario({"train.optim_g": {"type": "AdamW", "lr": 1e-12}, "train.warmup_iter": 0}),
    "SOAP": Scenario({"train.optim_g": {"type": "SOAP"}}),
    "Muon": Scenario({"train.optim_g": {"type": "Muon"}}),
    "schedule-free": Scenario(
        {
            "train.optim_g": {"type": "ScheduleFreeAdamW"},
            "train.ema_decay": 0.0,
            "train.scheduler": {"type": "constant"},
        }
    ),
}
"""By name."""
