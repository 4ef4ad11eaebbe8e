"""Trainer.fit(): the training loop on one page."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor, nn

from srqueue.errors import SrqueueError
from srqueue.run.reasons import StopReason
from srqueue.spec.job import JobSpec
from workers.trainer.automations import Automations
from workers.trainer.data.batches import Batches
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.optim.ema import Ema
from workers.trainer.optim.optimizer import Optimizer
from workers.trainer.optim.schedule import learning_rate
from workers.trainer.pace import Pace
from workers.trainer.reporter import FULL, DiskFull, Reporter
from workers.trainer.saving import Saver
from workers.trainer.state import RunState
from workers.trainer.stopping import StopRequest
from workers.trainer.validation import Validator

REPORT_SECONDS = 10.0
"""A report comes at the latest after so long, however slow the machine."""

DEAD = 0.001
"""dB: a network this near to bicubic has learnt nothing."""


HOPELESS = 1e3
"""A mean loss beyond this, of pictures in 0..1, never comes back."""


class Diverged(SrqueueError):
    """A loss or a weight has left all bounds."""


@dataclass
class Trainer:
    """Everything a training works with; `state` and the tensors are what a checkpoint holds."""

    spec: JobSpec
    device: torch.device
    net: nn.Module
    ema: Ema
    optimizer: Optimizer
    losses: WeightedLosses
    batches: Batches
    validator: Validator | None
    automations: Automations
    state: RunState
    saver: Saver
    reporter: Reporter
    stop: StopRequest
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def fit(self) -> StopReason:
        """Trains to the end, or to a request to stop; what was reached is saved (but for a lost lease).

        Raises Diverged, and DiskFull where the last checkpoint cannot be written.
        """
        self._start()
        while True:
            # once in a while: validate, save, stop
            if self._validation_due():
                self._validate()
            end = self._end()
            if end is None and self._save_due():
                self._save()
            if end is not None:
                self._finish(end)
                return end

            # sample: a pure function of the seed and the iteration
            lr, hr = self.batches[self.state.iteration]

            # forward and backward
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16):
                sr = self.net(lr)
            loss, parts = self.losses(sr, hr)
            loss.backward()

            # step
            if self._clip:
                nn.utils.clip_grad_norm_(self._parameters, self._clip)
            self.optimizer.step(self._rate())
            self.state.iteration += 1

            # moving average
            self.ema.update(self.state.iteration)

            # report: until then nothing is read back from the device
            self._sums += parts
            self._steps += 1
            if self._report_due():
                self._report()

    def _start(self) -> None:
        self.net.train()
        self._bf16 = self.spec.compute.precision == "bf16"
        self._clip = float(self.spec.train.grad_clip)
        self._parameters = [p for p in self.net.parameters() if p.requires_grad]
        self._weights = torch.tensor(self.losses.weights, device=self.device)
        self._sums = torch.zeros(len(self.losses.names), device=self.device)
        self._steps = 0
        self._saved = (self.state.iteration, self.state.validated)
        self._pace = Pace(self.spec.train.total_iter, self.spec.val.val_freq if self.validator else 0)
        self.reporter.iteration = self.state.iteration
        self.reporter.phase("training")

    def _rate(self) -> float:
        return learning_rate(self.spec.train, self.state.iteration, self.automations.lr_factor)

    # reports

    def _report_due(self) -> bool:
        if self.state.iteration % self.spec.logger.print_freq == 0:
            return True
        return self._pace.seconds >= REPORT_SECONDS

    def _report(self) -> None:
        """Reads the losses back, checks them, and tells them."""
        means = self._check_losses()
        iteration, steps = self.state.iteration, self._steps
        self._sums.zero_()
        self._steps = 0
        it_s = self._pace.lap(steps)
        self.reporter.iteration = iteration
        self.reporter.emit(
            "train",
            loss=float((means * self._weights).sum()),
            lr=learning_rate(self.spec.train, iteration - 1, self.automations.lr_factor),
            it_s=round(it_s, 3),
            eta_s=round(self._pace.eta(iteration), 1),
            total_iter=self.spec.train.total_iter,
            losses=dict(zip(self.losses.names, means.tolist(), strict=True)),
        )

    def _check_losses(self) -> Tensor:
        """Mean losses since the last report. Raises Diverged where one is not finite, or hopeless."""
        means = self._sums / max(1, self._steps)
        if not bool((means <= HOPELESS).all()):  # False for NaN too
            raise self._diverged(f"the loss is {means.sum().item():g}")
        return means

    def _check_weights(self) -> None:
        norms = torch._foreach_norm([*self._parameters, *self.ema.net.parameters()])
        if not bool(torch.isfinite(torch.stack(norms)).all()):
            raise self._diverged("a weight is not a finite number")

    def _diverged(self, what: str) -> Diverged:
        saved = self.saver.parent
        return Diverged(
            f"{what} at iteration {self.state.iteration}",
            where=f"last good checkpoint: {saved}" if saved else None,
            hint="lower train.optim_g.lr, lengthen train.warmup_iter or set train.grad_clip",
        )

    # validation

    def _validation_due(self) -> bool:
        iteration = self.state.iteration
        if self.validator is None or iteration == 0 or self.state.validated == iteration:
            return False
        return iteration % self.spec.val.val_freq == 0 or iteration == self.spec.train.total_iter

    def _validate(self) -> None:
        """Validates the moving average; a request to stop interrupts it, and it is done after the restart."""
        if self.validator is None:
            return
        if self._steps:
            self._report()
        begun, state = time.monotonic(), self.state
        self.reporter.phase("validating")
        with self._pace.pause("validation"):
            bicubic = state.bicubic or self.validator.bicubic()
            metrics = self.validator.network(self.ema.net) if bicubic else None
        if not bicubic or not metrics:
            return
        state.bicubic, state.last = bicubic, metrics
        state.validated = state.iteration
        state.validations += 1
        best = metrics["val/psnr"] > state.best.get("val/psnr", float("-inf"))
        if best:
            state.best, state.best_iteration = metrics, state.iteration
            self.best_weights = {k: v.detach().clone() for k, v in self.ema.net.state_dict().items()}
        self.reporter.emit(
            "val",
            **metrics,
            **bicubic,
            best=best,
            best_psnr=state.best["val/psnr"],
            best_iteration=state.best_iteration,
            seconds=round(time.monotonic() - begun, 3),
        )
        self._flag_dead(metrics["val/psnr"] - bicubic["bicubic/psnr"])
        for action in self.automations.observe(state.iteration, metrics):
            self.reporter.emit("action", **asdict(action))
            state.decisions.append({"iteration": state.iteration, **asdict(action)})
        self.reporter.phase("training")

    def _flag_dead(self, gain: float) -> None:
        if abs(gain) >= DEAD or self.state.dead_flagged:
            return
        self.state.dead_flagged = True
        self.reporter.message(
            "warning",
            f"the network is within {DEAD} dB of bicubic interpolation: it seems dead. A lower "
            "train.optim_g.lr, a longer train.warmup_iter or another manual_seed may help",
        )

    # checkpoints

    def _save_due(self) -> bool:
        if self._saved == (self.state.iteration, self.state.validated):
            return False
        if self.state.validated == self.state.iteration:
            return True
        return time.monotonic() - self.saver.saved_at >= self.spec.logger.save_checkpoint_seconds

    def _save(self) -> None:
        """Saves; a full disk is told, and tried again later."""
        self._check_losses()
        self._check_weights()
        self.state.seconds += self._pace.wall()
        self.state.automations = self.automations.state_dict()
        self.reporter.iteration = self.state.iteration
        try:
            with self._pace.pause("save"):
                self.saver.save(self.state, self.tensors(), self.reporter)
        except OSError as error:
            if error.errno not in FULL:
                raise
            self.reporter.message("warning", f"could not save a checkpoint: {error.strerror}")
            return
        self._saved = (self.state.iteration, self.state.validated)

    def _end(self) -> StopReason | None:
        """Why to stop here, or None."""
        if self.stop.reason is not None:
            return self.stop.reason
        if self.automations.stopped:
            return StopReason.STOPPED_EARLY
        return StopReason.COMPLETED if self.state.iteration >= self.spec.train.total_iter else None

    def _finish(self, end: StopReason) -> None:
        if self._steps:
            self._report()
        if end is StopReason.LEASE_LOST or self._saved == (self.state.iteration, self.state.validated):
            return
        self._save()
        if self._saved != (self.state.iteration, self.state.validated):
            raise DiskFull(
                "the last checkpoint could not be written: no space left on device",
                where=str(self.saver.run.checkpoints),
            )

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of the run by `<part>/<name>`."""
        parts = {"model": self.net.state_dict(), "optim": self.optimizer.state_dict()}
        if self.spec.train.ema_decay > 0:
            parts["ema"] = self.ema.net.state_dict()
        parts["best"] = self.best_weights
        return {
            f"{part}/{name}": t.reshape(-1) if t.dim() == 0 else t
            for part in parts
            for name, t in parts[part].items()
        }

    def load(self, tensors: dict[str, Tensor], state: RunState) -> None:
        """The inverse of `tensors`, and the state beside it."""
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "optim": {}, "ema": {}, "best": {}}
        for key, tensor in tensors.items():
            part, _, name = key.partition("/")
            parts[part][name] = tensor
        self.net.load_state_dict(parts["model"])
        if parts["ema"]:
            self.ema.net.load_state_dict(parts["ema"])
        self.optimizer.load_state_dict(parts["optim"])
        self.best_weights = {name: t.to(self.device) for name, t in parts["best"].items()}
        self.automations.load_state_dict(state.automations)
        self.state = state
