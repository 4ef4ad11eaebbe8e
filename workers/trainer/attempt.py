"""One attempt: restore, fit, save, export, and an outcome for every end that can be seen from inside."""

from __future__ import annotations

import copy
import gc
import os
import shutil
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

import torch

from srqueue.counting import counted
from srqueue.errors import CheckpointError, DataError, SrqueueError, UsageError
from srqueue.run.events import finite
from srqueue.run.folder import AttemptDir, CheckpointName, RunDir
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import CONSEQUENCES, StopReason
from srqueue.spec.anchors import anchor_interval
from srqueue.spec.job import JobSpec, spec_id
from workers.trainer.automations.dead_network import worse
from workers.trainer.banking import BankPlace
from workers.trainer.beginning import begin
from workers.trainer.build import build_trainer
from workers.trainer.data.decode import DataMissing
from workers.trainer.datasets import Datasets, open_datasets
from workers.trainer.export import Exported, export
from workers.trainer.fingerprint import arithmetic_of, changes, fingerprint
from workers.trainer.fitting import trained
from workers.trainer.loop import Trainer
from workers.trainer.losses.ms_ssim import MsSsimLoss
from workers.trainer.overlap import overlap
from workers.trainer.preflight import preflight
from workers.trainer.reporter import FULL, DiskFull, Reporter, despite_full_disk, tell
from workers.trainer.resolve import read_spec, resolve, this_machine, with_start
from workers.trainer.restore import Restored, restore
from workers.trainer.rollback import Diverged
from workers.trainer.saving import Saver
from workers.trainer.state import Contents, RunState
from workers.trainer.stopping import StopRequest
from workers.trainer.team.leader import Team
from workers.trainer.versions import NewerVersion

REASONS: tuple[tuple[type[BaseException], StopReason], ...] = (
    (Diverged, StopReason.DIVERGED),
    (DiskFull, StopReason.DISK_FULL),
    (DataMissing, StopReason.DATA_MISSING),
    (DataError, StopReason.DATA_CORRUPT),
    (CheckpointError, StopReason.ROOT_MISSING),
    (NewerVersion, StopReason.ROOT_MISSING),
    (UsageError, StopReason.SPEC_INVALID),
    (torch.OutOfMemoryError, StopReason.OUT_OF_MEMORY),
    (MemoryError, StopReason.OUT_OF_MEMORY),
)
"""What an exception means for the job; the first class that fits counts. All others are crashes."""

RESERVED = 65536
"""Bytes kept for the outcome and the last lines of events and log."""

EXPORTED = (StopReason.COMPLETED, StopReason.STOPPED_EARLY, StopReason.BUDGET_SPENT, StopReason.CANCELLED)
"""Ends that leave a model; a diverged run leaves one where it had validated before."""


@dataclass
class Standing:
    """How far the attempt has come, for the outcome of a failure."""

    begun: RunState
    trainer: Trainer | None = None
    held: ExitStack = field(default_factory=ExitStack)
    """What must be given free, however it ends."""

    @property
    def state(self) -> RunState:
        """The newest that is known."""
        return self.trainer.state if self.trainer else self.begun


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
    if outcome.reason in EXPORTED:
        shutil.rmtree(run.compiled, ignore_errors=True)
    try:
        outcome.write(attempt.outcome_file)
    except OSError as error:
        tell(f"error: {outcome.message.splitlines()[0]}; its outcome is not written: {error.strerror}")
        return 1
    finally:
        standing.held.close()
    return 1 if outcome.reason is StopReason.CRASHED else 0


def _reserve(run: RunDir) -> None:
    """Takes a little of the disk, or what there is of it, so that the end can be told where it is full."""
    with despite_full_disk():
        run.reserve_file.write_bytes(os.urandom(RESERVED))


def _work(run: RunDir, attempt: AttemptDir, stop: StopRequest, standing: Standing) -> Outcome:
    given = attempt.read()
    submitted = read_spec(run.spec_file)
    machine = this_machine(submitted.compute, given)
    if submitted.compute.compile is True or submitted.compute.mode == "fast":
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(run.compiled)  # so that the next attempt compiles nothing
    begun = with_start(run, submitted)
    resolved = resolve(run, begun, machine, lambda: stop.reason is not None)
    spec = resolved.spec.model_copy(update={"stop": submitted.stop})  # they may be others than at first
    identity = spec_id(submitted)
    reporter = Reporter(attempt, spec.train.total_iter)

    datasets = open_datasets(spec, given.get("listings") or {}, BankPlace.of(given))
    told: list[str] = []
    restored = restore(run, attempt, identity, datasets.identities, told.append)
    if restored:
        standing.begun = RunState.from_json(restored.manifest.state)
    reporter.iteration = standing.begun.iteration
    _open_log(reporter, restored)
    for text in told:
        reporter.message("warning", text)
    if resolved.now and submitted.compute.precision == "auto" and not machine.has_bf16:
        reporter.message("info", "this device does not compute in bf16: training in fp32")
    if resolved.measured:
        reporter.message("info", resolved.measured)
    asked, has = submitted.compute.threads, spec.compute.threads
    if isinstance(asked, int) and isinstance(has, int) and asked > has:
        reporter.message("warning", f"{asked} threads are more than its part of the cores here: it has {has}")
    if not restored:
        _tell_once(reporter, spec, datasets, given.get("listings") or {})

    reporter.phase("loading")
    devices = machine.devices[: spec.datasets.train.effective_batch]
    if len(devices) < spec.compute.devices:
        reporter.message(
            "info", f"{len(devices)} of {spec.compute.devices} devices train here: there are no more"
        )
    marks = fingerprint(spec.compute, machine.device, devices, arithmetic_of(spec))
    _compare_fingerprints(reporter, restored, marks)
    saver = Saver(
        run,
        attempt.token,
        identity,
        datasets.identities,
        marks,
        trained(spec),
        spec.train.total_iter,
        anchor_interval(spec.train.total_iter, spec.val.val_freq),
        restored.name if restored else None,
    )
    contents = (
        (restored.tensors, standing.begun)
        if restored
        else begin(spec, datasets.identities, lambda text: reporter.message("warning", text), tell)
    )

    team = Team(run, attempt, devices) if len(devices) > 1 else None
    if team:
        standing.held.callback(team.close)
    standing.held.callback(datasets.banking.close)
    datasets.banking.begin(reporter)

    def build(contents: Contents) -> Trainer:
        return build_trainer(
            spec, machine.device, datasets, saver, reporter, stop, contents, team, given, tuple(devices)
        )

    if spec.preflight and not restored:
        _try(build, contents, run, reporter)
    trainer = build(contents)
    standing.trainer = trainer
    for note in given.get("notes") or ():
        reporter.message("info", str(note))
    for rule in trainer.automations.stops.unknown():
        reporter.message(
            "info", f"nothing is known of that job yet, so in this attempt it ends nothing: {rule}"
        )

    try:
        end, diverged = _fit(trainer)
    finally:
        trainer.batches.close()
        if team:
            team.close()

    exported = None
    # Cancelled before its first iteration it has nothing to keep, and the picture of it may take minutes.
    if (end in EXPORTED and trainer.state.iteration) or diverged:
        reporter.phase("exporting")
        with trainer.step.optimizer.evaluating():
            weights = trainer.best_weights or trainer.ema.net.state_dict()
            _judge_best(reporter, trainer.state)
            exported = export(
                run,
                spec,
                identity,
                weights,
                trainer.state,
                trainer.validator,
                machine.device,
                given.get("power"),
            )
    reporter.phase("finished" if end in EXPORTED or diverged else "stopped")
    reporter.close()
    return _outcome(end, diverged or _text(end, trainer), trainer.state, exported)


def _fit(trainer: Trainer) -> tuple[StopReason, str]:
    """(end, why it diverged). Raises Diverged where no weights from before are worth keeping."""
    try:
        return trainer.fit(), ""
    except Diverged as error:
        if not trainer.best_weights:
            raise
        trainer.reporter.message("warning", f"{error}; the best weights from before are exported")
        return StopReason.DIVERGED, str(error)


def _judge_best(reporter: Reporter, state: RunState) -> None:
    if state.best and (told := worse(state.best["val/psnr"], state.bicubic["bicubic/psnr"])):
        reporter.message("warning", told)


def _try(build: Callable[[Contents], Trainer], contents: Contents, run: RunDir, reporter: Reporter) -> None:
    """The preflight, on a trainer of its own; the run takes over how many crops fit at once."""
    reporter.phase("preflight")
    tensors, state = contents
    trainer = build((tensors, copy.deepcopy(state)))
    findings = preflight(trainer, run)
    if findings is not None:
        state.micro_batch = findings.micro_batch
        figures = asdict(findings)
        remarks = figures.pop("remarks")
        reporter.emit("resource", **figures)
        reporter.message("info", findings.text(trainer.spec))
        for remark in remarks:
            reporter.message("warning", remark)
    device = trainer.device
    del trainer
    gc.collect()  # it is a cycle: else its tensors would lie beside those of the run
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _tell_once(
    reporter: Reporter, spec: JobSpec, datasets: Datasets, listings: Mapping[str, str | None]
) -> None:
    """What a user should know at the beginning of a run."""
    if datasets.left_out:
        left_out = f"{counted(datasets.left_out, 'picture')} smaller than the crop"
        reporter.message("warning", f"{left_out} {'is' if datasets.left_out == 1 else 'are'} left out")
    if told := overlap(datasets, listings):
        reporter.message("warning", told)
    if spec.train.training_automations.enabled and datasets.validation is None:
        reporter.message("warning", "the training automations watch the validation, and there is none")
    if any(loss.type == "ms_ssim" for loss in spec.train.losses):
        facts = MsSsimLoss().describe(spec.datasets.train.lq_size * spec.scale)
        reporter.message(
            "info", f"ms_ssim on these crops has {facts['scales']} scales, of {facts['weights']}"
        )


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


def _text(end: StopReason, trainer: Trainer) -> str:
    text, state, stops = CONSEQUENCES[end].text, trainer.state, trainer.automations.stops
    if stops.reason is end and stops.text:
        lowered = (
            f"; from iteration {state.decay_from} on the rate was lowered to its end"
            if stops.decaying
            else ""
        )
        return f"stopped: {stops.text}{lowered}"
    if end is StopReason.STOPPED_EARLY and state.decay_from is not None:
        return f"{text} at iteration {state.decay_from}, from where the rate was lowered to its end"
    return text


def _outcome(reason: StopReason, message: str, state: RunState, exported: Exported | None = None) -> Outcome:
    found = finite(state.metrics() | (exported.metrics if exported else {}))
    metrics = {key: value for key, value in found.items() if isinstance(value, float)}
    return Outcome(
        reason=reason,
        message=message,
        iteration=state.iteration,
        seq=state.seq or None,
        metrics=metrics,
        export=exported.model if exported else None,
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
