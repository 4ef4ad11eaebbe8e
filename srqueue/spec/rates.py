"""Whether a spec's learning rate is near what was measured best for its network and optimizer."""

from __future__ import annotations

from srqueue.spec.job import JobSpec
from srqueue.spec.presets import architecture_names, load_preset

FAR = 4.0
"""Times above or below the measured rate that is worth a remark."""


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
