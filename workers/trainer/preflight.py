"""Preflight: what a long run will do in its first days, tried before its first iteration.

Twenty steps, a validation of the largest pictures, a save and its reading back, the disk for all checkpoints,
the files of the data set (the size of all, the content of as many as a few seconds allow). It works on a
trainer of its own, which is thrown away: the run itself begins as if nothing had been tried, and trains the
same bits with a preflight and without.
"""

from __future__ import annotations

import math
import resource
import shutil
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from srqueue.errors import CheckpointError
from srqueue.run.folder import RunDir
from srqueue.spec.job import JobSpec
from srqueue.spec.rates import rate_remark
from workers.trainer.archs.magic_upsampler import MagicUpsampler
from workers.trainer.breaking_off import BrokenOff, breaking_off
from workers.trainer.checkpoint import Manifest, commit, read
from workers.trainer.data.pictures import Pictures
from workers.trainer.data.resize import resize_picture
from workers.trainer.inference import super_resolve
from workers.trainer.loop import Trainer
from workers.trainer.metrics import compare
from workers.trainer.reporter import DiskFull
from workers.trainer.rollback import Diverged
from workers.trainer.validation import Validator, to_tensor

STEPS = 20
WARM = 3
"""Steps that are not timed: the first ones decode pictures and choose kernels."""

SECONDS = 15.0
"""For the steps, and again for the validation: nothing begins after it, and the rest is estimated."""

HASHING = 3.0
"""Seconds for the content of a data set's files."""

KEPT = 18
"""Checkpoints on disk at once, at most: the last ones, the best, one each tenth, one being written."""


@dataclass(frozen=True)
class Findings:
    """What was measured: iterations a second, seconds and bytes; and what a person should think about."""

    it_s: float
    validation_s: float | None
    save_s: float
    checkpoint_bytes: int
    peak_bytes: int
    micro_batch: int
    files: int
    """Of all data sets."""
    files_hashed: int
    remarks: tuple[str, ...]

    def text(self, spec: JobSpec) -> str:
        """What a person wants to know before walking away."""
        training = spec.train.total_iter / self.it_s if self.it_s else 0.0
        validations = (self.validation_s or 0.0) * (spec.train.total_iter // spec.val.val_freq)
        return (
            f"preflight: {self.it_s:.1f} it/s, {(training + validations) / 3600:.1f} h for all "
            f"{spec.train.total_iter} iterations, {validations / 3600:.1f} h of it validating; "
            f"peak memory {self.peak_bytes / 2**30:.2f} GiB; "
            f"a checkpoint is {self.checkpoint_bytes / 1e6:.1f} MB, saved in {self.save_s:.2f} s; "
            f"{self.files_hashed} of {self.files} picture files hashed, the size of all is right"
        )


def preflight(trainer: Trainer, run: RunDir) -> Findings | None:
    """Tries everything with a trainer that stands at the start of its run, and spoils it.

    None where a request to stop came first: somebody waits, and what was found by then is half of it. Raises
    DiskFull, DataError, Diverged, CheckpointError or torch.OutOfMemoryError where the run would have.
    """
    # A compiler would take the hooks for a part of the network; what it makes is for fast devices.
    slow = trainer.spec.compute.compile is not True
    try:
        with breaking_off(trainer.net, trainer.stop) if slow else nullcontext():
            findings = _findings(trainer, run)
    except BrokenOff:
        return None
    return findings if trainer.stop.reason is None else None


def _findings(trainer: Trainer, run: RunDir) -> Findings:
    sets = [trainer.batches.pictures, *([trainer.validator.pictures] if trainer.validator else [])]
    for pictures in sets:
        pictures.check_files()
    hashed = sum(pictures.check_contents(HASHING) for pictures in sets)
    remarks = [remark for remark in (rate_remark(trainer.spec),) if remark]
    it_s = _steps(trainer)
    validation_s = None
    if trainer.validator is not None:
        validation_s, weak_base = _validation(trainer, trainer.validator)
        remarks += [weak_base] if weak_base else []
    save_s, written = _save_and_load(trainer, run)
    return Findings(
        it_s=it_s,
        validation_s=validation_s,
        save_s=save_s,
        checkpoint_bytes=written,
        peak_bytes=_peak(trainer.device),
        micro_batch=trainer.step.micro_batch,
        files=sum(pictures.files for pictures in sets),
        files_hashed=hashed,
        remarks=tuple(remarks),
    )


def _steps(trainer: Trainer) -> float:
    """Iterations a second over the last of the steps that fit into the time."""
    begun, seconds = time.monotonic(), list[float]()
    while len(seconds) < STEPS and trainer.stop.reason is None:
        before = time.monotonic()
        if before - begun > SECONDS:
            break
        lr, hr = trainer.batches[len(seconds)]
        losses = trainer.step(lr, hr, trainer.rate(len(seconds)))
        if trainer.device.type == "cuda":
            torch.cuda.synchronize(trainer.device)
        seconds.append(time.monotonic() - before)
    if not seconds:
        return 0.0
    if not all(math.isfinite(value) for value in losses.tolist()):
        raise Diverged(
            f"the loss is not a finite number after {len(seconds)} steps of the preflight",
            hint="lower train.optim_g.lr or lengthen train.warmup_iter",
        )
    if trainer.automations.losses and trainer.stop.reason is None:
        # After the steps, beside the state of the optimizer: that is where the run measures it.
        trainer.step.loss_gradients(lr, hr)
    # Where the time is over before they are warm, the last one is the nearest to what follows.
    timed = seconds[WARM:] or seconds[-1:]
    return len(timed) / sum(timed)


def _validation(trainer: Trainer, validator: Validator) -> tuple[float, str | None]:
    """(seconds of a whole validation, what is wrong with the fixed part of the network, if anything).

    The largest pictures come first: they decide whether memory suffices.
    """
    net, device = trainer.net, trainer.device
    pictures = validator.pictures
    # By its type: realtime and stream call it `base`, the others `magic_upsampler`.
    base = next((part for part in net.children() if isinstance(part, MagicUpsampler)), None)
    order = sorted(range(len(pictures)), key=lambda i: -math.prod(pictures.lr_size(i)))
    begun, spent, pixels, gaps = time.monotonic(), 0.0, 0, []
    net.eval()
    for index in order:
        if trainer.stop.reason is not None or time.monotonic() - begun > SECONDS:
            break
        pair = pictures[index]
        before = time.monotonic()
        lr, hr = to_tensor(pair.lr, device), to_tensor(pair.hr, device)
        compare(super_resolve(net, lr, pictures.scale), hr, pictures.scale, pair.grey)
        spent, pixels = spent + time.monotonic() - before, pixels + math.prod(pair.lr.shape[:2])
        if base is not None:
            gaps.append(_gap(base, pictures, index, device))
    net.train()
    total = sum(math.prod(pictures.lr_size(i)) for i in order)
    mean = sum(gaps) / len(gaps) if gaps else 0.0
    weak = (
        f"the network's fixed upsampler alone is {-mean:.2f} dB below bicubic interpolation on "
        f"{validator.name}: the learned part has to make up for that first (network_g.alpha changes it)"
    )
    return round(spent * total / pixels, 4) if pixels else 0.0, weak if mean < 0 else None


def _gap(base: nn.Module, pictures: Pictures, index: int, device: torch.device) -> float:
    """dB of PSNR-Y by which the fixed upsampler is better than bicubic interpolation."""
    pair = pictures[index]
    lr, hr = to_tensor(pair.lr, device), to_tensor(pair.hr, device)
    bicubic = to_tensor(resize_picture(pair.lr, pair.hr.shape[:2]), device)
    found = [
        compare(sr, hr, pictures.scale, pair.grey)["psnr"]
        for sr in (super_resolve(base, lr, pictures.scale), bicubic)
    ]
    return found[0] - found[1]


def _save_and_load(trainer: Trainer, run: RunDir) -> tuple[float, int]:
    """(seconds of a save, bytes of a checkpoint), from one that was written, read back and removed."""
    folder, tensors = run.path / "preflight", trainer.tensors()
    # The best weights come later and are as large as the model.
    later = sum(t.nbytes for name, t in tensors.items() if name.startswith("model/"))
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir()
        begun = time.monotonic()
        manifest = Manifest("preflight", None, "", {}, {}, 0, trainer.state.to_json())
        written = commit(folder, tensors, manifest) + later
        seconds = time.monotonic() - begun
        _, back = read(folder / "preflight")
        if any(not torch.equal(t.cpu(), back[name]) for name, t in tensors.items()):
            raise CheckpointError("a checkpoint does not read back as it was written", where=str(run.path))
        free = shutil.disk_usage(run.path).free
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if free < KEPT * written:
        raise DiskFull(
            f"{KEPT} checkpoints of {written / 1e6:.1f} MB will not fit: {free / 1e6:.1f} MB are free",
            where=str(run.path),
            hint="free some space, or set SRQUEUE_RUNS to a larger disk",
        )
    return round(seconds, 4), written


def _peak(device: torch.device) -> int:
    """Bytes that were needed at most: on the GPU, or of this process's memory.

    The latter counts from its start, reading the data included: it is what the machine must have.
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024  # bytes there, KiB elsewhere
