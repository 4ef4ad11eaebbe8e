"""Decides how far batches are made ahead, and by how many threads; none of it changes what is in them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from srqueue.spec.job import ComputeSpec
from workers.trainer.process import cores

_DEPTH = 4


@dataclass(frozen=True)
class Loading:
    """`depth` batches are made ahead by `threads`; 0: each is made when it is asked for.

    `turn_on_device`: crops are mirrored and turned on the device, from flags, and not on the host.
    """

    depth: int = 0
    threads: int = 1
    turn_on_device: bool = False


def decide_loading(compute: ComputeSpec, device: torch.device, in_memory: bool) -> Loading:
    """A value for what the spec leaves open.

    On a CPU with all pictures in memory nothing is made ahead: a batch is cut in a hundredth of a step, and
    a thread would only take turns with it. Else one thread on a CPU, which works while the step computes;
    beside a GPU one that cuts, or up to four that read or decode.
    """
    cuda = device.type == "cuda"
    depth = compute.prefetch
    if depth == "auto":
        depth = 0 if in_memory and not cuda else _DEPTH
    threads = compute.loader_threads
    if threads == "auto":
        threads = max(1, min(4, cores() // 2)) if cuda and not in_memory else 1
    return Loading(int(depth), int(threads), turn_on_device=cuda)
