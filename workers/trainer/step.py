"""One optimizer step: forward and backward in micro-batches, clipping, and the step itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from srqueue.errors import UsageError
from srqueue.spec.job import JobSpec
from workers.trainer.action import Action
from workers.trainer.automations.gradient_clipping import clipping
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.memory import first_line, out_of_memory
from workers.trainer.optim.optimizer import Optimizer
from workers.trainer.state import RunState
from workers.trainer.team.leader import Team

AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""What the network computes in, by `compute.precision`; weights, losses and optimizer stay in float32."""


class Step:
    """What trains the network: losses, optimizer, clipping, loss scale, and how many crops go at once.

    `micro_batch`: crops at once on the device. It is halved where memory does not suffice, which `tell` gets
    an Action about; the effective batch stays, since every micro-batch counts by its share of it. With a
    `team` each batch is shared with other devices.
    """

    def __init__(
        self,
        net: nn.Module,
        losses: WeightedLosses,
        spec: JobSpec,
        device: torch.device,
        tell: Callable[[Action], object],
        team: Team | None = None,
    ) -> None:
        self.losses = losses
        self._team = team
        self._net, self._spec, self._device, self._tell = net, spec, device, tell
        # The network itself stays as it is, and with it the names of its weights.
        compiled = spec.compute.compile is True
        # CUDA graphs of what was compiled: a small network is given out faster than the host can launch it.
        self._graphs = compiled and device.type == "cuda" and spec.compute.mode == "fast"
        self._forward = (
            torch.compile(net, mode="reduce-overhead" if self._graphs else None) if compiled else net
        )
        self._tried = not compiled
        self._named = {name: p for name, p in net.named_parameters() if p.requires_grad}
        self._dtype = AUTOCAST.get(spec.compute.precision)
        self.reset()

    def reset(self) -> None:
        """As before the first step; the weights of the network stay."""
        train, compute, data = self._spec.train, self._spec.compute, self._spec.datasets.train
        self.micro_batch = data.batch_size if compute.micro_batch == "auto" else compute.micro_batch
        self.optimizer = Optimizer(self._named, train.optim_g)
        self.clipping = clipping(train, self._device)
        fp16 = compute.precision == "fp16"
        self.scaler = torch.amp.GradScaler(self._device.type) if fp16 else None

    def __call__(self, lr: Tensor, hr: Tensor, rate: float) -> Tensor:
        """Trains on a batch at a learning rate; the losses [len(names)] without weights, means over it.

        `lr`, `hr`: RGB [N, 3, H, W] float32 in 0..1. Nothing is read back from the device. Raises
        torch.OutOfMemoryError where a single crop does not fit, or the optimizer's state.
        """
        scaled = self.scaler.scale if self.scaler else _as_it_is
        own = (lr, hr)
        if self._team:
            scale = scaled(torch.ones(1, device=self._device))
            own = self._team.give_out(lr, hr, self._net, self.losses.weights, scale, self.micro_batch)
        values = self.gradients(*own, len(lr), scaled)
        if self._team:
            gradients = [p.grad for p in self._net.parameters()]
            values, smallest = self._team.add_up(gradients, values, self.micro_batch)
            if smallest < self.micro_batch:
                self._take(smallest, "another device of this job is out of memory")
        try:
            self._move(rate)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            # Part of the weights may have moved: the step cannot be done again.
            raise torch.OutOfMemoryError(
                f"memory does not suffice for the state of the optimizer ({first_line(error)}): take a "
                "smaller network_g, or a train.optim_g that keeps less"
            ) from error
        return values

    def loss_gradients(self, lr: Tensor, hr: Tensor) -> list[float]:
        """Norm of the gradient of each loss, without its weight, by the network's output for this batch.

        Raises torch.OutOfMemoryError where a single crop does not fit.
        """
        norms = self._fitting(lambda: self._norms(lr, hr), len(lr))
        found: list[float] = norms.tolist()
        return found

    def figures(self, means: list[float]) -> dict[str, Any]:
        """What a report says of the steps since the last one; `means`: of each loss, without weights."""
        names, weights = self.losses.names, self.losses.weights
        found: dict[str, Any] = {
            "loss": sum(mean * weight for mean, weight in zip(means, weights, strict=True)),
            "losses": {n: m if math.isfinite(m) else None for n, m in zip(names, means, strict=True)},
        }
        if tuple(weights) != self.losses.given:
            found["weights"] = dict(zip(names, weights, strict=True))
        if self.clipping and self.clipping.norm is not None and self.clipping.limit is not None:
            found |= {"grad_norm": self.clipping.norm.item(), "clip": self.clipping.limit.item()}
        return found

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """The parts of a checkpoint that are the step's, by name."""
        return {
            "optim": self.optimizer.state_dict(),
            "clip": self.clipping.state_dict() if self.clipping else {},
        }

    def write(self, state: RunState) -> None:
        """Puts what is no tensor into the state."""
        state.micro_batch = self.micro_batch
        state.scaler = self.scaler.state_dict() if self.scaler else {}

    def load(self, parts: dict[str, dict[str, Tensor]], state: RunState) -> None:
        """The inverse of `tensors` and `write`; what a checkpoint lacks is as before the first step."""
        self.reset()
        self.optimizer.load_state_dict(parts.get("optim", {}))
        if self.clipping:
            self.clipping.load_state_dict(parts.get("clip", {}))
        self.micro_batch = state.micro_batch or self.micro_batch
        if self.scaler and state.scaler:
            self.scaler.load_state_dict(state.scaler)

    def gradients(self, lr: Tensor, hr: Tensor, batch: int, scaled: Callable[[Tensor], Tensor]) -> Tensor:
        """Adds the gradient of these crops, which are (a part of) a batch; their part of its losses.

        `scaled`: what fp16 makes of a loss. Raises torch.OutOfMemoryError where a single crop does not fit.
        """
        return self._fitting(lambda: self._accumulate(lr, hr, batch, scaled), len(lr))

    def _fitting(self, work: Callable[[], Tensor], crops: int) -> Tensor:
        """What `work` finds out of a batch in micro-batches; done again with smaller ones until they fit."""
        while True:
            try:
                return work()
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                if min(self.micro_batch, crops) == 1:
                    raise torch.OutOfMemoryError(str(error)) from error
                reason = first_line(error)
            # Not within the handler: the exception holds on to everything that was computed.
            self._halve(crops, reason)

    def _accumulate(self, lr: Tensor, hr: Tensor, batch: int, scaled: Callable[[Tensor], Tensor]) -> Tensor:
        total: Tensor | None = None
        if self._graphs and len(lr) > self.micro_batch:
            # A graph's own output would be the first gradient, and gone with the next micro-batch.
            for parameter in self._named.values():
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
        for x, y, share in self._micro_batches(lr, hr, batch):
            loss, values = self.losses(self._super_resolve(self._trained_forward, x), y)
            if share < 1:
                loss, values = loss * share, values * share
            scaled(loss).backward()  # type: ignore[no-untyped-call]
            total = values if total is None else total + values
        assert total is not None  # a batch has a crop
        return total

    def _norms(self, lr: Tensor, hr: Tensor) -> Tensor:
        squares = torch.zeros(len(self.losses.losses), device=self._device)
        for x, y, share in self._micro_batches(lr, hr, len(lr)):
            with torch.no_grad():
                sr = self._super_resolve(self._net, x)
            for i, loss in enumerate(self.losses.losses):
                output = sr.detach().requires_grad_()
                (gradient,) = torch.autograd.grad(loss(output, y) * share, output)
                squares[i] += gradient.square().sum()
        return squares.sqrt()

    def _move(self, rate: float) -> None:
        """Clips the gradients and takes the optimizer's step."""
        if self.clipping:
            if self.scaler:
                self.optimizer.unscale(self.scaler)
            self.clipping.clip([p.grad for p in self._named.values() if p.grad is not None])
        self.optimizer.step(rate, self.scaler)
        if self.scaler:
            self.scaler.update()

    def _halve(self, batch: int, reason: str) -> None:
        for parameter in self._named.values():
            parameter.grad = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        before = min(self.micro_batch, batch)
        self._take(before // 2, reason, before)

    def _take(self, crops: int, reason: str, before: int | None = None) -> None:
        did = (
            f"halved the micro-batch from {before or self.micro_batch} to {crops}; a batch still has "
            f"{self._spec.datasets.train.effective_batch}"
        )
        self.micro_batch = crops
        self._tell(Action(by="MicroBatch", did=did, reason=reason or "out of memory"))

    def _micro_batches(self, lr: Tensor, hr: Tensor, batch: int) -> Iterator[tuple[Tensor, Tensor, float]]:
        """(LR, HR, share of the batch), in order; slices keep the memory layout."""
        count, size = len(lr), min(self.micro_batch, len(lr))
        for first in range(0, count, size):
            x, y = lr[first : first + size], hr[first : first + size]
            yield x, y, len(x) / batch

    def _super_resolve(self, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        if self._dtype is None:
            return forward(x)
        with torch.autocast(self._device.type, self._dtype):
            sr = forward(x)
        return sr.float()

    def _trained_forward(self, x: Tensor) -> Tensor:
        """The network's forward; a compiler that is not there is told as what it is."""
        if self._graphs:  # what the graph of the step before gave out is used up
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        if self._tried:
            return self._forward(x)  # type: ignore[no-any-return]
        try:
            sr: Tensor = self._forward(x)
        except torch._dynamo.exc.TorchDynamoException as error:
            raise UsageError(
                f"the network cannot be compiled here: {str(error).strip().partition(chr(10))[0]}",
                where="compute.compile",
                hint="install a C++ compiler, or set compute.compile: false",
            ) from None
        self._tried = True
        return sr


def _as_it_is(loss: Tensor) -> Tensor:
    return loss
