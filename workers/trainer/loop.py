"""Trainer.fit(): the training loop on one page."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor, nn

from srqueue.run.reasons import StopReason
from srqueue.spec.job import JobSpec
from workers.trainer import heart
from workers.trainer.automations import Action, Automations
from workers.trainer.automations.dead_network import dead
from workers.trainer.automations.divergence import WINDOW
from workers.trainer.checkpoint import join, split
from workers.trainer.data.batches import Batches
from workers.trainer.energy import EnergyMeter
from workers.trainer.gallery import Gallery
from workers.trainer.loss_book import LossBook
from workers.trainer.optim.ema import Ema
from workers.trainer.optim.schedule import decay_steps, decays, last_iteration, learning_rate
from workers.trainer.pace import Pace
from workers.trainer.randomness import reseed
from workers.trainer.reporter import Reporter
from workers.trainer.resources import Resources
from workers.trainer.rollback import broken_weight, go_back
from workers.trainer.saving import Saver, TakenOver
from workers.trainer.state import Contents, RunState
from workers.trainer.step import Step
from workers.trainer.stop_rules import Standing, StopRules
from workers.trainer.stopping import StopRequest
from workers.trainer.validation import Validator

NEVER = (-1, -1)


@dataclass
class Trainer:
    """Everything a training works with; `state` and the tensors are what a checkpoint holds.

    `initial`: what the run began with, for a roll-back to its start; `given`: what attempt.json says.
    """

    spec: JobSpec
    device: torch.device
    net: nn.Module
    ema: Ema
    step: Step
    batches: Batches
    validator: Validator | None
    state: RunState
    saver: Saver
    reporter: Reporter
    stop: StopRequest
    initial: Callable[[], Contents]
    gallery: Gallery | None = None
    given: Mapping[str, Any] = field(default_factory=dict)
    devices: tuple[torch.device, ...] = ()
    until: int | None = None
    """The iteration, one that is validated, at which this attempt ends; None: at the end of the run."""
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    automations: Automations = field(init=False)

    def fit(self) -> StopReason:
        """Trains to the end, or to a request to stop; what was reached is saved (but for a lost lease).

        Raises Diverged, and DiskFull where the last checkpoint cannot be written.
        """
        self._start()
        while True:
            # once in a while: judge the losses, validate, save, stop
            if self._judgement_due() and (wrong := self._judge()):
                self._roll_back(wrong)
            if self._validation_due():
                self._validate()
            if self.saver.written:
                self._settle()
            end = self._end()
            if end is None and self._save_due():
                self._save()
                end = self._end()
            if end is not None:
                return self._finish(end)

            # sample, and what a network draws: pure functions of the seed and the iteration
            sample = self.state.iteration + self.state.sample_offset
            lr, hr = self.batches[sample]
            reseed(self.spec.manual_seed, sample, self.device)

            # forward, backward, step
            losses = self.step(lr, hr, self.rate(self.state.iteration))
            self.state.iteration += 1
            heart.beat(stepped=True)

            # moving average
            self.ema.update(self.state.iteration)

            # the losses stay on the device until somebody asks for them
            self._book.add(losses)
            if (dynamic := self.automations.losses) and self.state.iteration % dynamic.interval == 0:
                self.act(dynamic.observe(self.step.loss_gradients(lr, hr)))
            if self._pace.report_due(self.state.iteration):
                self._report()
                if self._stops.rules:
                    self._obey(self._stops.look(self._standing()))

    def _start(self) -> None:
        self.net.train()
        self._saved = (self.state.iteration, self.state.validated)
        self._pace = Pace(self.spec.val.val_freq if self.validator else 0, self.spec.logger.print_freq)
        self._resources = Resources(self.device)
        self._meter = EnergyMeter(self.devices or (self.device,), self.given.get("power") or {})
        self.saver.saved_at = time.monotonic()
        self.reporter.iteration = self.state.iteration
        self.reporter.phase("training")
        if not self.state.iteration:
            self.act(self._stops.look_first(datetime.now(UTC)))

    @property
    def _last(self) -> int:
        """Iterations after which the run ends."""
        last = last_iteration(self.spec.train, self._decay_from)
        return min(last, self._stops.last or last)

    @property
    def _decay_from(self) -> int | None:
        """Where the decay of a WSD schedule begins: as early stopping or a stop rule wants it."""
        wanted = [at for at in (self.state.decay_from, self._stops.decay_from) if at is not None]
        return min(wanted, default=None)

    @property
    def _stops(self) -> StopRules:
        return self.automations.stops

    def rate(self, iteration: int) -> float:
        factor = self.automations.lr_factor * self.state.guard_factor
        return learning_rate(self.spec.train, iteration, factor, self._decay_from)

    def act(self, action: Action | None, decision: bool = True) -> None:
        """Tells what an automation did, and keeps it in the log of decisions, unless it is none."""
        if action is None:
            return
        self.reporter.iteration = self.state.iteration
        self.reporter.emit("action", **asdict(action))
        if decision:
            self.state.decisions.append({"iteration": self.state.iteration, **asdict(action)})

    # reports

    def _report(self) -> None:
        """Reads the losses back, and tells them."""
        iteration = self.reporter.iteration = self.state.iteration
        means, steps = self._book.report()
        it_s = self._pace.lap(steps)
        self.reporter.emit(
            "train",
            lr=self.rate(iteration - 1),
            it_s=round(it_s, 3),
            eta_s=round(self._pace.eta(iteration, self._last), 1),
            total_iter=self.spec.train.total_iter,
            **self.step.figures(means),
            **self._resources.read(),
            **self._energy(),
        )
        self.act(clipping.acted() if (clipping := self.step.clipping) else None, decision=False)

    def _energy(self) -> dict[str, float]:
        """Takes note of what was drawn: kWh of all attempts, of this one, and what of each is estimated."""
        self.state.energy, figures = self._meter.note(self.state.energy)
        return figures

    # stop rules

    def _standing(self) -> Standing:
        self._energy()
        state, seconds = self.state, self.state.seconds + self._pace.unwalled
        lowered = decays(self.spec.train, state.iteration, self._decay_from)
        return Standing(state.iteration, seconds, state.energy["kwh"], datetime.now(UTC), lowered)

    def _obey(self, action: Action | None) -> None:
        self.act(action)
        if self._stops.decaying and self.state.decay_from is None:
            self.state.decay_from = self.state.iteration

    # divergence: judged where only the iteration says so, and before anything is built on it

    def _judgement_due(self) -> bool:
        iteration = self.state.iteration
        if self.stop.reason is StopReason.LEASE_LOST:
            return False
        return iteration % WINDOW == 0 or iteration >= self._last or self._anchor or self._validation_due()

    def _judge(self) -> str | None:
        """What is wrong, in words."""
        self._book.read()
        return self.automations.guard.judge(self.state.iteration) or broken_weight(self.net, self.ema.net)

    def _sound(self) -> bool:
        """Whether it may be saved."""
        self._book.read()
        return self.automations.guard.sound and not broken_weight(self.net, self.ema.net)

    def _roll_back(self, wrong: str) -> None:
        """Goes back to before it went wrong, and saves at once: whatever happens then, it is not done twice.

        Raises Diverged where that is not wanted, was done too often, or is not possible.
        """
        if self._book.unreported:
            self._report()
        self._settle()
        self.step.write(self.state)
        (tensors, state), action = go_back(
            self.spec.train.divergence_guard,
            self.state,
            wrong,
            lambda: self.saver.refuge(self.state.iteration, self.reporter) or self.initial(),
            self.saver.parent,
        )
        self.act(action)
        self.load(tensors, state)
        self._save()
        self._settle()

    # validation

    def _validation_due(self) -> bool:
        iteration = self.state.iteration
        if self.validator is None or iteration == 0 or self.state.validated == iteration:
            return False
        return iteration % self.spec.val.val_freq == 0 or iteration >= self._last or self._stops.ends_now

    def _validate(self) -> None:
        """Validates the moving average; a request to stop interrupts it, and it is done after the restart."""
        if self.validator is None:
            return
        if self._book.unreported:
            self._report()
        begun, state = time.monotonic(), self.state
        self.reporter.phase("validating")
        with self._pace.pause("validation"), self.step.optimizer.evaluating():
            bicubic = state.bicubic or self.validator.bicubic()
            look = self.gallery.see if self.gallery else None
            metrics = self.validator.network(self.ema.net, look) if bicubic else None
            if not bicubic or not metrics:
                return
            if self.gallery:
                self.gallery.write(state.iteration)
            metrics["train/loss"] = self._book.train_loss()
            by = self.automations.best_by
            best = metrics[by] > state.best.get(by, float("-inf"))
            if best:
                state.best, state.best_iteration = metrics, state.iteration
                self.best_weights = {k: v.detach().clone() for k, v in self.ema.net.state_dict().items()}
        self._book.validated()
        first = state.last if state.validations == 1 else None
        state.bicubic, state.last = bicubic, metrics
        state.validated, state.validations = state.iteration, state.validations + 1
        self.reporter.emit(
            "val",
            **metrics,
            **bicubic,
            best=best,
            best_psnr=state.best["val/psnr"],
            best_iteration=state.best_iteration,
            seconds=round(time.monotonic() - begun, 3),
        )
        if not state.dead_flagged and (told := dead(metrics, bicubic, first)):
            state.dead_flagged = True
            self.reporter.message("warning", told)
        self._automate(metrics)
        self.reporter.phase("training")

    def _automate(self, metrics: dict[str, float]) -> None:
        """Asks the automations; once the rate decays to its end they are done."""
        state = self.state
        if self._stops.rules:
            self._obey(self._stops.observe(self._standing(), metrics))
        if self._stops.ends_now:
            return
        if decays(self.spec.train, state.iteration, state.decay_from):
            return
        for action in self.automations.observe(state.iteration, metrics):
            self.act(action)
        if self.automations.decays and self.automations.stopped:
            state.decay_from = state.iteration

    # checkpoints

    @property
    def _anchor(self) -> bool:
        """Whether the run may one day go back to where it is."""
        return self.state.iteration % self.saver.anchor_interval == 0

    def _save_due(self) -> bool:
        if self._saved == (self.state.iteration, self.state.validated):
            return False
        if self._anchor or self.state.validated == self.state.iteration:
            return True
        return time.monotonic() - self.saver.saved_at >= self.spec.logger.save_checkpoint_seconds

    def _save(self) -> None:
        """Saves what is sound, or begins to; what is not is left to the next judgement."""
        self._settle()
        state = self.state
        if not self._sound():
            self.saver.saved_at = time.monotonic()
            return
        self._energy()
        state.seconds += self._pace.wall()
        state.automations, state.train_loss = self.automations.state_dict(), self._book.since_validation
        self.step.write(state)
        self.reporter.iteration = state.iteration
        self._saved = (state.iteration, state.validated)
        with self._pace.pause("save"):
            try:
                self.saver.save(state, self.tensors(), self.reporter)
            except TakenOver:
                self.reporter.message("warning", "a later attempt works on this run: this one ends")
                self.stop.ask(StopReason.LEASE_LOST)
        if self.saver.written:
            self._settle()

    def _settle(self) -> None:
        """Takes note of a checkpoint that was begun; waits for it where it is not written yet."""
        with self._pace.pause("save"):
            if not self.saver.settle(self.state, self.reporter):
                self._saved = NEVER

    def _end(self) -> StopReason | None:
        """Why to stop here, or None."""
        if self.stop.reason is not None:
            return self.stop.reason
        decayed, train = self.state.decay_from is not None, self.spec.train
        if self.state.iteration >= self._last < last_iteration(train, self.state.decay_from):
            self._stops.at_last()
        if self.state.iteration >= train.total_iter:
            return StopReason.COMPLETED
        if self._stops.reason and (self._stops.ends_now or self.state.iteration >= self._last):
            return self._stops.reason
        if self.state.iteration >= self._last:
            return StopReason.STOPPED_EARLY if decayed else StopReason.COMPLETED
        if self.automations.stopped and not decayed:
            return StopReason.STOPPED_EARLY
        return StopReason.RUNG if self._at_rung else None

    @property
    def _at_rung(self) -> bool:
        """Whether it has come as far as it may, and is measured there."""
        if self.until is None or self.state.iteration < self.until:
            return False
        return self.validator is None or self.state.validated >= self.until

    def _finish(self, end: StopReason) -> StopReason:
        """Saves once more, unless that is forbidden; why the run ends in fact."""
        if self._book.unreported:
            self._report()
        self._settle()
        if end is StopReason.LEASE_LOST or self._saved == (self.state.iteration, self.state.validated):
            return end
        if not self._sound():
            self.reporter.message("warning", "not saved, since the loss or a weight is not a finite number")
            return end
        self._save()
        self._settle()
        if self.stop.reason is StopReason.LEASE_LOST:
            return StopReason.LEASE_LOST
        if self._saved == NEVER:
            raise self.saver.not_saved()
        return end

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of the run by `<part>/<name>`."""
        parts = {"model": self.net.state_dict(), **self.step.tensors()}
        if self.spec.train.ema_decay > 0:
            parts["ema"] = self.ema.net.state_dict()
        parts["best"] = self.best_weights
        return join(parts)

    def load(self, tensors: dict[str, Tensor], state: RunState) -> None:
        """The inverse of `tensors`, and the state beside it; what they lack is as at the start of a run."""
        parts, train = split(tensors), self.spec.train
        self.net.load_state_dict(parts["model"])
        if train.ema_decay > 0:
            self.ema.net.load_state_dict(parts.get("ema") or parts["model"])
        self.best_weights = {name: t.to(self.device) for name, t in parts.get("best", {}).items()}
        decay = decay_steps(train.scheduler, train) if train.scheduler.type == "wsd" else 0
        stops = StopRules(self.spec.stop, self.given.get("targets"), decay)
        self.automations = Automations(train, self.step.losses.names, stops)
        self.automations.load_state_dict(state.automations)
        stops.begin(state.seconds, state.energy["kwh"])
        self.step.load(parts, state)
        self.step.losses.weights = self.automations.loss_weights
        self._book = LossBook(self.step.losses.given, self.automations.guard.observe, state.train_loss)
        self.state = state
