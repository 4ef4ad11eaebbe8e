"""What a network draws while it trains (dropout, stochastic depth): a pure function of seed and sample."""

from __future__ import annotations

import torch

_MASK = (1 << 64) - 1


def reseed(seed: int, sample: int, device: torch.device) -> None:
    """Sets torch's generators for the step on batch `sample`.

    So no checkpoint needs to hold their state, and what a micro-batch draws does not depend on what came
    before the step. By SplitMix64 (Steele, Lea & Flood 2014) of both numbers.
    """
    drawn = _mixed(_mixed(seed & _MASK) ^ (sample & _MASK)) >> 1
    torch.default_generator.manual_seed(drawn)
    if device.type == "cuda":  # `torch.manual_seed` looks at every backend there is, which takes 50 us
        torch.cuda.default_generators[device.index or 0].manual_seed(drawn)


def _mixed(number: int) -> int:
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)
