"""What the quality benchmark compares.

The lengths in iterations shrink with the run, as they do for a user who asks for fewer iterations.
"""

from dataclasses import dataclass, field

from srqueue.spec.originals import ORIGINALS


@dataclass(frozen=True)
class Recipe:
    """A preset for an architecture, and changes to it (a partial spec)."""

    preset: str
    architecture: str
    changes: dict = field(default_factory=dict)


SMALL = {"datasets": {"train": {"lq_size": 32}}}
"""What a CPU gets most out of: with small crops it makes more steps in its time."""

PLAIN = {
    "datasets": {"train": {"lq_size": 32, "batch_size": 8}},
    "train": {
        "optim_g": {"type": "Adam", "lr": 2e-3, "betas": [0.9, 0.99]},
        "scheduler": {"type": "cosine"},
        "losses": [{"type": "l1"}],
        "ema_decay": 0.0,
        "grad_clip": False,
        "training_automations": {"enabled": False},
        "dynamic_loss_scheduling": {"enabled": False},
    },
}
"""What a plain hand-written loop does."""

RECIPES: dict[str, Recipe] = {
    "compact convenience": Recipe("convenience", "compact"),
    "compact fidelity": Recipe("fidelity", "compact"),
    "compact tuned": Recipe("tuned", "compact"),
    "compact plain": Recipe("convenience", "compact", PLAIN),
    "compact convenience, small crops": Recipe("convenience", "compact", SMALL),
    "compact convenience, small crops, fixed loss weights": Recipe(
        "convenience",
        "compact",
        {**SMALL, "train": {"dynamic_loss_scheduling": {"enabled": False}}},
    ),
    "compact tuned, small crops": Recipe("tuned", "compact", SMALL),
    "compact quick": Recipe("quick", "compact"),
    "nano convenience": Recipe("convenience", "paragonsr2_nano"),
    "nano tuned": Recipe("tuned", "paragonsr2_nano"),
    "nano convenience, small crops": Recipe("convenience", "paragonsr2_nano", SMALL),
    "nano as upstream, tuned, small crops": Recipe(
        "tuned",
        "paragonsr2_nano",
        {**SMALL, "network_g": {"act": False, **ORIGINALS["paragonsr2_nano"]}},
    ),
    "nano tuned, small crops": Recipe("tuned", "paragonsr2_nano", SMALL),
}
