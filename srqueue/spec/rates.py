"""What was measured for a spec's network: the rate that is best with its optimizer, and the whole recipe."""

from __future__ import annotations

from srqueue.spec.job import JobSpec
from srqueue.spec.networks import network_name
from srqueue.spec.presets import architecture_names, load_preset

MEASURED_PRESET = "tuned"
"""The preset whose recipe is our own measurements'."""

_BY_ITS_RECIPE = (MEASURED_PRESET, "quick")

FAR = 4.0
"""Times above or below the measured rate that is worth a remark."""


def measured_networks() -> list[str]:
    """Networks that the recipe of `tuned` was measured for, sorted."""
    return [name for name in architecture_names() if load_preset(name, "architectures").measured]


def recipe_remark(preset: str, spec: JobSpec) -> str | None:
    """A sentence where `preset` has the measured recipe and the network is another one, else None."""
    if preset not in _BY_ITS_RECIPE:
        return None
    known, network = measured_networks(), spec.network_g
    if network.type in known:
        return None
    return f"the recipe of `{preset}` was measured for {' and '.join(known)}, not for {network_name(network)}"


def rate_remark(spec: JobSpec) -> str | None:
    """A sentence where the rate is far from the one in presets/architectures, None where it is near.

    Also None where nothing was measured for this network and optimizer.
    """
    network, optimizer = spec.network_g.type, spec.train.optim_g
    if network not in architecture_names():
        return None
    best = load_preset(network, "architectures").measured.get(optimizer.type)
    if best is None or best / FAR <= optimizer.lr <= best * FAR:
        return None
    side, times = ("below", best / optimizer.lr) if optimizer.lr < best else ("above", optimizer.lr / best)
    return (
        f"train.optim_g.lr {optimizer.lr:g} is {times:.0f} times {side} the {best:g} that was measured best "
        f"for {network} with {optimizer.type} in short runs (benchmarks/results/rates.md); "
        "the preset `tuned` takes the measured recipe"
    )
