"""Breaking off: a request to stop ends what a network computes, in the middle of a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from workers.trainer import heart
from workers.trainer.stopping import StopRequest


class BrokenOff(Exception):
    """Somebody asked to stop. Weights and gradients are as they were left: nothing goes on from them."""


@contextmanager
def breaking_off(net: nn.Module, stop: StopRequest) -> Iterator[None]:
    """Once a stop is asked for, raises BrokenOff before the next part of the network or at the next gradient.

    For work that nobody goes on from. On a CPU one step of a large network takes minutes, more than a
    supervisor waits for.
    """

    def look(*_: object) -> None:
        heart.beat()
        if stop.reason is not None:
            raise BrokenOff

    hooks = [module.register_forward_pre_hook(look) for module in net.modules()]
    learning = [p for p in net.parameters() if p.requires_grad]
    hooks += [p.register_hook(look) for p in learning]  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
