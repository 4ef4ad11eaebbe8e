"""RunState: everything about a run that is no tensor; it lies as JSON in every checkpoint's manifest."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from workers.trainer.versions import check_known


@dataclass
class RunState:
    """Where a run stands.

    `iteration`: optimizer steps done; `seq`: its newest checkpoint, parent's + 1 (never falls, unlike the
    iteration after a roll-back); `seconds`: training wall time over all attempts; `validated`: iteration of
    the last validation; `best`, `last`, `bicubic`: metrics (dB, or 0..1 for SSIM), `best` all those of the
    weights that are kept as the best, by whichever one of them (Automations.best_by); `automations`: their
    state_dicts; `decisions`: what was decided during the run, oldest first, never shortened; `bad_pictures`:
    training pictures that could not be read, by path, and are not drawn any more; `train_loss`: sum and count
    of the weighted losses since the last validation; `decay_from`: where early stopping began the decay;
    `energy`: kWh of training over all attempts, and the part of them that is `estimated`;
    `micro_batch`: crops at once, 0 as decided at first; `scaler`: the loss scale of fp16.

    What a roll-back leaves behind: `rollbacks`, their number; `guard_factor`, what they left of the rate;
    `sample_offset`, added to the iteration where samples are drawn, so that none is met again.
    """

    iteration: int = 0
    seq: int = 0
    seconds: float = 0.0
    energy: dict[str, float] = field(default_factory=lambda: {"kwh": 0.0, "estimated": 0.0})
    validated: int = 0
    validations: int = 0
    best: dict[str, float] = field(default_factory=dict)
    best_iteration: int = 0
    last: dict[str, float] = field(default_factory=dict)
    bicubic: dict[str, float] = field(default_factory=dict)
    automations: dict[str, Any] = field(default_factory=dict)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    dead_flagged: bool = False
    bad_pictures: list[str] = field(default_factory=list)
    train_loss: list[float] = field(default_factory=lambda: [0.0, 0])
    decay_from: int | None = None
    micro_batch: int = 0
    scaler: dict[str, Any] = field(default_factory=dict)
    rollbacks: int = 0
    guard_factor: float = 1.0
    sample_offset: int = 0

    def to_json(self) -> dict[str, Any]:
        """The state as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> RunState:
        """The inverse of `to_json`. Raises NewerVersion for fields that this version does not know."""
        check_known(raw, cls)
        return cls(**raw)

    def metrics(self) -> dict[str, float]:
        """What an outcome reports: last values, best ones, bicubic's, the training seconds and kWh."""
        found = {**self.last, **self.bicubic, "seconds": self.seconds, "kwh": self.energy["kwh"]}
        if self.best:
            found |= {
                "best/psnr": self.best["val/psnr"],
                "best/ssim": self.best["val/ssim"],
                "best/psnr_rgb": self.best["val/psnr_rgb"],
                "best/iteration": float(self.best_iteration),
            }
        return found


Contents = tuple[dict[str, Tensor], RunState]
"""What a checkpoint holds: tensors by `<part>/<name>`, and the state."""
