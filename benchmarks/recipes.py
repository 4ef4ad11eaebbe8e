"""What the quality benchmark compares: recipe -> (preset, architecture, changes to the preset).

The lengths in iterations shrink with the run, as they do for a user who asks for fewer iterations.
"""

SMALL = {"datasets": {"train": {"lq_size": 32, "batch_size": 4}}}
"""What a CPU gets most out of: with small crops and few of them it makes more steps in its time."""

UPSTREAM = {"network_g": {"alpha": -0.4, "detail_gain": 0.05, "layer_scale": 1e-5}}
"""Nano's pre-filter and initial values of 2025-12-01."""

RECIPES: dict[str, tuple[str, str | None, dict]] = {
    "compact convenience": ("convenience", "compact", {}),
    "compact fidelity": ("fidelity", "compact", {}),
    "compact convenience, small crops": ("convenience", "compact", SMALL),
    "compact convenience, small crops, fixed loss weights": (
        "convenience",
        "compact",
        {**SMALL, "train": {"dynamic_loss_scheduling": {"enabled": False}}},
    ),
    "compact tuned, small crops": ("tuned", "compact", SMALL),
    "compact quick": ("quick", "compact", {}),
    "nano convenience": ("convenience", "paragonsr2_nano", {}),
    "nano convenience, small crops": ("convenience", "paragonsr2_nano", SMALL),
    "nano as upstream, tuned, small crops": (
        "tuned",
        "paragonsr2_nano",
        {**SMALL, "network_g": {"act": False, **UPSTREAM["network_g"]}},
    ),
    "nano tuned, small crops": ("tuned", "paragonsr2_nano", SMALL),
}
