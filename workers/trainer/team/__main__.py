"""python -m workers.trainer.team SPEC MEETING --rank R --of N --device D: a follower."""

from __future__ import annotations

import argparse
import faulthandler
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist

from srqueue.spec.job import JobSpec
from workers.trainer.archs import build_network
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.process import ORPHANED, die_with_parent
from workers.trainer.resolve import prepare_torch, read_spec
from workers.trainer.step import Step
from workers.trainer.team.exchange import (
    LEADER,
    Weights,
    here,
    join,
    pack_gradients,
    part,
    receive_crops,
)
from workers.trainer.team.leader import NO_MEMORY


def main() -> int:
    """Computes gradients until the leader ends it."""
    parser = argparse.ArgumentParser(prog="python -m workers.trainer.team", description=__doc__)
    parser.add_argument("spec", type=Path, help="resolved")
    parser.add_argument("meeting", type=Path, help="file through which the processes find each other")
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--of", type=int, required=True)
    parser.add_argument("--device", type=torch.device, required=True)
    asked = parser.parse_args()
    _live_with_the_leader()
    spec = read_spec(asked.spec)
    prepare_torch(spec.compute)
    if asked.device.type == "cuda":
        torch.cuda.set_device(asked.device)
    here(asked.meeting, asked.rank).touch()
    join(asked.meeting, asked.rank, asked.of, asked.device.type == "cuda")
    try:
        _follow(spec, asked.device, asked.rank, asked.of)
    except torch.OutOfMemoryError as error:
        print(f"error: {error}", file=sys.stderr)
        return NO_MEMORY
    return 0


def _follow(spec: JobSpec, device: torch.device, rank: int, count: int) -> None:
    layout = torch.channels_last if spec.compute.channels_last else torch.contiguous_format
    net = build_network(spec.network_g, spec.scale)
    net = net.to(device, memory_format=layout).train()  # type: ignore[call-overload]
    step = Step(net, WeightedLosses(spec.train.losses).to(device), spec, device, lambda action: None)
    weights = Weights(net)
    header = torch.zeros(5, dtype=torch.int64)
    loss_weights = torch.zeros(len(spec.train.losses), dtype=torch.float64)
    packed = torch.zeros(weights.numbers, device=device)
    while True:
        dist.broadcast(header, LEADER)
        dist.broadcast(loss_weights, LEADER)
        dist.broadcast(packed, LEADER)
        scale = weights.unpack(packed)
        crops, lr_side, hr_side, seed, step.micro_batch = header.tolist()
        own = part(crops, count, rank)
        lr, hr = (receive_crops(own.stop - own.start, side, device, layout) for side in (lr_side, hr_side))
        # What the network draws (dropout) differs from device to device.
        torch.manual_seed((seed + rank) % 2**63)
        step.losses.weights = loss_weights.tolist()
        values = step.gradients(lr, hr, crops, partial(torch.mul, scale[0]))
        gradients = [p.grad for p in net.parameters()]
        dist.reduce(torch.tensor([step.micro_batch]), LEADER, dist.ReduceOp.MIN)
        dist.reduce(pack_gradients(gradients, values), LEADER)
        net.zero_grad(set_to_none=True)


def _live_with_the_leader() -> None:
    """It ends when the leader does, however that ends; requests to stop are the leader's alone."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    die_with_parent()
    threading.Thread(target=_wait_for_its_end, name="leader", daemon=True).start()


def _wait_for_its_end() -> None:
    while os.read(0, 4096):
        pass
    os._exit(ORPHANED)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
