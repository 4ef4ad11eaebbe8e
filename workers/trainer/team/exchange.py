"""What the processes of a job tell each other each step, over torch.distributed.

The leader has the batch, the weights and all state; a follower has none of its own. A step is: a header, the
weights and each follower's crops from the leader, the sum of the gradients back to it. So whatever the leader
does between two steps (roll back, resume, halve its micro-batch, change a rate) concerns no follower, and a
checkpoint is the same file for any number of devices.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

LEADER = 0
PATIENCE = timedelta(days=30)
"""A follower waits as long as the leader validates; whether that hangs is the watchdog's to say."""


def join(rendezvous: Path, rank: int, count: int, cuda: bool) -> None:
    """Meets the others; on GPUs tensors go by NCCL, and all that the host must read by gloo."""
    backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
    dist.init_process_group(
        backend, init_method=f"file://{rendezvous}", rank=rank, world_size=count, timeout=PATIENCE
    )


def here(rendezvous: Path, rank: int) -> Path:
    """There once a follower is about to join."""
    return rendezvous.with_name(f"{rendezvous.name}-{rank}")


def part(crops: int, count: int, rank: int) -> slice:
    """Which crops of a batch are whose: as even as can be, the first ones have one more."""
    each, more = divmod(crops, count)
    first = rank * each + min(rank, more)
    return slice(first, first + each + (rank < more))


class Weights:
    """Parameters and buffers of a network as one vector."""

    def __init__(self, net: nn.Module) -> None:
        everything = [*net.parameters(), *net.buffers()]
        self._tensors = [t.detach() for t in everything if t.is_floating_point()]

    @torch.no_grad()
    def pack(self, extra: Tensor) -> Tensor:
        """All numbers in a row, `extra` [1] last."""
        return torch.cat([*(t.reshape(-1) for t in self._tensors), extra])

    @torch.no_grad()
    def unpack(self, packed: Tensor) -> Tensor:
        """Takes them over; what was `extra`."""
        at = 0
        for tensor in self._tensors:
            tensor.copy_(packed[at : at + tensor.numel()].view(tensor.shape))
            at += tensor.numel()
        return packed[at:]

    @property
    def numbers(self) -> int:
        """How many, with the one more."""
        return sum(t.numel() for t in self._tensors) + 1


def pack_gradients(gradients: Sequence[Tensor | None], values: Tensor) -> Tensor:
    """Gradients and the values of the losses in a row; a parameter without one has none on any device."""
    return torch.cat([*(g.reshape(-1) for g in gradients if g is not None), values.to(torch.float32)])


@torch.no_grad()
def unpack_gradients(packed: Tensor, gradients: Sequence[Tensor | None], count: int) -> Tensor:
    """Writes them into `gradients`; the `count` values."""
    at = 0
    for gradient in gradients:
        if gradient is not None:
            gradient.copy_(packed[at : at + gradient.numel()].view(gradient.shape))
            at += gradient.numel()
    return packed[at : at + count]


def send_crops(crops: Tensor, rank: int) -> None:
    """[n, 3, H, W] to a follower, pixel by pixel."""
    dist.send(crops.permute(0, 2, 3, 1).contiguous(), rank)


def receive_crops(count: int, side: int, device: torch.device, layout: torch.memory_format) -> Tensor:
    """What the leader has sent: [count, 3, side, side]."""
    crops = torch.empty((count, side, side, 3), device=device)
    dist.recv(crops, LEADER)
    return crops.permute(0, 3, 1, 2).contiguous(memory_format=layout)
