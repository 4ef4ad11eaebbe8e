"""What a step asks of a device: kernels launched, bytes moved, values waited for.

Counted on the CPU from the operators that torch dispatches, views left out: a GPU would launch these kernels.
The tests pin the numbers; benchmarks.trainer puts times beside them.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from srqueue.spec.expand import DatasetRef, expand
from srqueue.spec.job import JobSpec
from workers.trainer.archs import build_network
from workers.trainer.losses import banded, mean_ssim
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.optim.ema import Ema
from workers.trainer.step import Step

READ_BACK = ("aten._local_scalar_dense.default", "aten.equal.default", "aten.nonzero.default")
"""Operators that wait for the device."""


@dataclass(frozen=True)
class Cost:
    """Of one step; `moved` is the bytes of all inputs and outputs, as if nothing stayed in a cache."""

    launches: int
    moved: int
    waits: int
    flops: int


class _Counting(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: Counter[str] = Counter()
        self.moved = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        view = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
        if not view:
            self.names[str(func)] += 1
            tensors = {id(t): t for t in tree_leaves((args, kwargs, out)) if isinstance(t, torch.Tensor)}
            self.moved += sum(t.nbytes for t in tensors.values())
        return out


def step_of(spec: JobSpec) -> Any:
    """A function that trains once on made-up crops: forward, losses, backward, optimizer, moving average."""
    data, device = spec.datasets.train, torch.device("cpu")
    layout = torch.channels_last if spec.compute.channels_last is True else torch.contiguous_format
    torch.manual_seed(1)
    net = build_network(spec.network_g, spec.scale).to(memory_format=layout)
    step, ema = (
        Step(net, WeightedLosses(spec.train.losses), spec, device, lambda action: None),
        Ema(net, 0.999),
    )
    lr, hr = (
        torch.rand(data.effective_batch, 3, side, side).to(memory_format=layout)
        for side in (data.lq_size, data.lq_size * spec.scale)
    )
    done = 0

    def once() -> None:
        nonlocal done
        step(lr, hr, 1e-4)
        done += 1
        ema.update(done)

    return once


def spec_of(architecture: str, preset: str, **network: int) -> JobSpec:
    """A preset as the CPU runs it, with one thread, in fp32 and channels_last."""
    compute = {"device": "cpu", "threads": 1, "precision": "fp32", "channels_last": True}
    changes = {"network_g": network, "compute": compute}
    return expand(
        DatasetRef("none"), preset=preset, architecture=architecture, overrides=[("cost", changes)]
    ).spec


def cost(spec: JobSpec) -> Cost:
    """Counts the third step: the first two make the optimizer's state and fill caches."""
    from torch.utils.flop_counter import FlopCounterMode

    once = step_of(spec)
    once()
    with FlopCounterMode(display=False) as flops:
        once()
    # A GPU gets the whole batch at once, where a CPU is given what its cache holds.
    with (
        patch.object(mean_ssim, "PIXELS", sys.maxsize),
        patch.object(banded, "WHOLE", sys.maxsize),
        _Counting() as counted,
    ):
        once()
    waits = sum(counted.names[name] for name in READ_BACK)
    return Cost(sum(counted.names.values()), counted.moved, waits, flops.get_total_flops())
