"""One attempt: restore, fit, save, export, and an outcome for every end that can be seen from inside."""

from __future__ import annotations

import os
import traceback
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from srqueue.errors import CheckpointError, DataError, SrqueueError, UsageError
from srqueue.run.events import finite
from srqueue.run.folder import AttemptDir, CheckpointName, RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import CONSEQUENCES, StopReason
from srqueue.spec.job import JobSpec, spec_id
from workers.trainer.archs import build_network
from workers.trainer.automations import Automations
from workers.trainer.data.batches import Batches
from workers.trainer.data.decode import DataMissing
from workers.trainer.data.quarantine import Quarantine
from workers.trainer.datasets import Datasets, open_datasets
from workers.trainer.export import export
from workers.trainer.fingerprint import changes, fingerprint
from workers.trainer.loop import Diverged, Trainer
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.optim.ema import Ema
from workers.trainer.optim.optimizer import Optimizer
from workers.trainer.pretrained import load_pretrained
from workers.trainer.reporter import FULL, DiskFull, Reporter, despite_full_disk, tell
from workers.trainer.resolve import prepare_torch, read_spec, resolve, this_machine
from workers.trainer.restore import Restored, restore
from workers.trainer.saving import Saver
from workers.trainer.state import RunState
from workers.trainer.stopping import StopRequest
from workers.trainer.validation import Validator

REASONS: tuple[tuple[type[BaseException], StopReason], ...] = (
    (Diverged, StopReason.DIVERGED),
    (DiskFull, StopReason.DISK_FULL),
    (DataMissing, StopReason.DATA_MISSING),
    (DataError, StopReason.DATA_CORRUPT),
    (CheckpointError, StopReason.ROOT_MISSING),
    (UsageError, StopReason.SPEC_INVALID),
    (torch.OutOfMemoryError, StopReason.OUT_OF_MEMORY),
    (MemoryError, StopReason.OUT_OF_MEMORY),
)
"""What an exception means for the job; the first class that fits counts. All others are crashes."""

RESERVED = 65536
"""Bytes kept for the outcome and the last lines of events and log."""

EXPORTED = (StopReason.COMPLETED, StopReason.STOPPED_EARLY, StopReason.CANCELLED)
"""Ends that leave a model."""


@dataclass
class Standing:
    """How far the attempt has come, for the outcome of a failure."""

    state: RunState


def run_attempt(run: RunDir, attempt: AttemptDir, stop: StopRequest) -> int:
    """Works on the job until it ends; 0, or 1 after a crash. The outcome lies in the attempt's folder."""
    named = CheckpointName.parse(attempt.read().get("resume") or "")
    standing = Standing(RunState(iteration=named.iteration, seq=named.seq) if named else RunState())
    _reserve(run)
    try:
        outcome = _work(run, attempt, stop, standing)
        run.reserve_file.unlink(missing_ok=True)
    except Exception as error:  # every end must leave an outcome
        run.reserve_file.unlink(missing_ok=True)  # room for what is printed and written now
        outcome = _failure(error, standing.state)
    try:
        outcome.write(attempt.outcome_file)
    except OSError as error:
        tell(f"error: {outcome.message.splitlines()[0]}; its outcome is not written: {error.strerror}")
        return 1
    return 1 if outcome.reason is StopReason.CRASHED else 0


def _reserve(run: RunDir) -> None:
    """Takes a little of the disk, or what there is of it, so that the end can be told where it is full."""
    with despite_full_disk():
        run.reserve_file.write_bytes(os.urandom(RESERVED))


def _work(run: RunDir, attempt: AttemptDir, stop: StopRequest, standing: Standing) -> Outcome:
    given = attempt.read()
    submitted = read_spec(run.spec_file)
    machine = this_machine(submitted.compute, given)
    spec, decided_now = resolve(run, submitted, machine)
    prepare_torch(spec.compute)
    identity = spec_id(submitted)
    reporter = Reporter(attempt, spec.train.total_iter)

    datasets = open_datasets(spec, given.get("listings") or {})
    told: list[str] = []
    restored = restore(run, attempt, identity, datasets.identities, told.append)
    if restored:
        standing.state = RunState.from_json(restored.manifest.state)
    reporter.iteration = standing.state.iteration
    _open_log(reporter, restored)
    for text in told:
        reporter.message("warning", text)
    if decided_now and submitted.compute.precision == "auto" and not machine.has_bf16:
        reporter.message("info", "this device does not compute in bf16: training in fp32")

    if datasets.left_out and not restored:
        reporter.message("warning", f"{datasets.left_out} pictures smaller than the crop are left out")

    reporter.phase("loading")
    marks = fingerprint(spec.compute, machine.device)
    _compare_fingerprints(reporter, restored, marks)
    saver = Saver(run, attempt.token, identity, datasets.identities, marks, spec.train.total_iter)
    trainer = _build(spec, machine.device, datasets, saver, reporter, stop, standing.state, restored)
    standing.state = trainer.state

    end = trainer.fit()

    model = None
    if end in EXPORTED:
        reporter.phase("exporting")
        weights = trainer.best_weights or trainer.ema.net.state_dict()
        model = export(run, spec, identity, weights, trainer.state, datasets.validation, machine.device)
    reporter.phase("finished")
    reporter.close()
    return _outcome(end, CONSEQUENCES[end].text, trainer.state, model)


def _build(
    spec: JobSpec,
    device: torch.device,
    datasets: Datasets,
    saver: Saver,
    reporter: Reporter,
    stop: StopRequest,
    state: RunState,
    restored: Restored | None,
) -> Trainer:
    """The trainer as it stood at the checkpoint, or fresh."""
    torch.manual_seed(spec.manual_seed)  # initial weights; nothing else draws from it
    net = build_network(spec.network_g, spec.scale)
    if not restored:
        _start_afresh(spec, net, reporter, validated=datasets.validation is not None)
    channels_last = bool(spec.compute.channels_last)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = net.to(device, memory_format=layout)  # type: ignore[call-overload]
    validator = None
    if datasets.validation is not None and spec.datasets.val is not None:
        validator = Validator(
            spec.datasets.val.name, datasets.validation, device, lambda: stop.reason is not None
        )
    pictures = datasets.training
    quarantine = Quarantine(pictures, state.bad_pictures, lambda text: reporter.message("warning", text))
    trainer = Trainer(
        spec=spec,
        device=device,
        net=net,
        ema=Ema(net, spec.train.ema_decay),
        optimizer=Optimizer({n: p for n, p in net.named_parameters() if p.requires_grad}, spec.train.optim_g),
        losses=WeightedLosses(spec.train.losses).to(device),
        batches=Batches(pictures, spec.datasets.train, spec.manual_seed, device, channels_last, quarantine),
        validator=validator,
        automations=Automations(spec.train.training_automations, spec.train.warmup_iter),
        state=state,
        saver=saver,
        reporter=reporter,
        stop=stop,
    )
    if restored:
        trainer.load(restored.tensors, state)
        saver.parent = restored.name
    return trainer


def _start_afresh(spec: JobSpec, net: nn.Module, reporter: Reporter, validated: bool) -> None:
    """What happens at the beginning of a run only."""
    if spec.path.pretrain_network_g:
        path = Path(spec.path.pretrain_network_g).expanduser()
        if told := load_pretrained(net, path, spec.path.strict_load_g):
            reporter.message("warning", told)
    if spec.train.dynamic_loss_scheduling.enabled:
        reporter.message(
            "warning", "dynamic_loss_scheduling is not acted on in this version: the loss weights stay"
        )
    if spec.train.training_automations.enabled and not validated:
        reporter.message("warning", "the training automations watch the validation, and there is none")


def _open_log(reporter: Reporter, restored: Restored | None) -> None:
    """The first line of the attempt: what its readers need to join it to the attempt before."""
    if restored is None:
        reporter.phase("started")
        return
    reporter.phase(
        "restored",
        seq=restored.name.seq,
        from_token=restored.name.token,
        from_offset=restored.manifest.events_offset,
    )


def _compare_fingerprints(reporter: Reporter, restored: Restored | None, marks: dict[str, object]) -> None:
    changed = changes(restored.manifest.fingerprint, marks) if restored else {}
    if restored is None or changed:
        reporter.emit("fingerprint", **marks, changed=changed)
    if changed:
        told = ", ".join(f"{key} {before} -> {now}" for key, (before, now) in changed.items())
        reporter.message(
            "warning",
            f"the arithmetic has changed ({told}): the last digits will differ from an unbroken run",
        )


def _outcome(reason: StopReason, message: str, state: RunState, model: str | None = None) -> Outcome:
    metrics = {key: value for key, value in finite(state.metrics()).items() if isinstance(value, float)}
    return Outcome(
        reason=reason,
        message=message,
        iteration=state.iteration,
        seq=state.seq or None,
        metrics=metrics,
        export=model,
    )


def _failure(error: Exception, state: RunState) -> Outcome:
    for kind, reason in REASONS:
        if isinstance(error, kind):
            tell(f"error: {error}")
            return _outcome(reason, str(error) or CONSEQUENCES[reason].text, state)
    if isinstance(error, OSError) and error.errno in FULL:
        tell(f"error: {error}")
        return _outcome(StopReason.DISK_FULL, str(error), state)
    with despite_full_disk():
        traceback.print_exc()
    if isinstance(error, SrqueueError):
        return _outcome(StopReason.CRASHED, str(error), state)
    return _outcome(StopReason.CRASHED, f"{type(error).__name__}: {error}", state)
