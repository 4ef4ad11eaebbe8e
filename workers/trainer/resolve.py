"""Deciding every `auto` of a spec, once, on the first machine that runs the job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ValidationError

from srqueue.errors import SpecError, SrqueueError, UsageError
from srqueue.run.atomic import read_object, write_file
from srqueue.run.folder import RunDir
from srqueue.spec.job import ComputeSpec, JobSpec
from workers.trainer.levers import FILE, choose
from workers.trainer.process import most_threads

Precision = Literal["fp32", "bf16"]

THREADS_ON_CPU = 1
THREADS_BESIDE_GPU = 4


@dataclass(frozen=True)
class Machine:
    """What this machine and this attempt offer; `devices`: all that share a batch, `device` is the first."""

    device: torch.device
    has_bf16: bool
    threads: int
    devices: tuple[torch.device, ...] = ()
    most_threads: int = 1024

    @property
    def kind(self) -> Literal["cpu", "cuda"]:
        """The class of device."""
        return "cuda" if self.device.type == "cuda" else "cpu"


def this_machine(asked: ComputeSpec, attempt: dict[str, Any]) -> Machine:
    """The machine for an attempt. Raises UsageError where the asked device is not here."""
    given = str(attempt.get("device") or "auto")
    if given == "auto":
        given = ("cuda" if torch.cuda.is_available() else "cpu") if asked.device == "auto" else asked.device
    try:
        device = torch.device(given)
    except RuntimeError:
        raise UsageError(
            f"unknown device {given!r}", where="attempt.json", hint="cpu, cuda or cuda:N"
        ) from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"device {given} is not here", hint="send the job to a worker that has one")
    if asked.device not in ("auto", device.type):
        raise UsageError(
            f"the spec wants {asked.device}, this attempt was given {given}", where="compute.device"
        )
    if device.type == "cuda":
        device = torch.device("cuda", device.index or 0)
        torch.cuda.set_device(device)
    threads, most = int(attempt.get("threads") or 0), most_threads(int(attempt.get("slots") or 1))
    return Machine(device, _has_bf16(device), threads, _team(device, asked, attempt, threads, most), most)


def _team(
    first: torch.device, asked: ComputeSpec, attempt: dict[str, Any], threads: int, most: int
) -> tuple[torch.device, ...]:
    """As many as the spec wants and this attempt has; on a CPU a process for each, while cores last."""
    if first.type == "cuda":
        given = [torch.device(name) for name in attempt.get("devices") or ()]
        others = [device for device in given if device != first]
    else:
        each = asked.threads if isinstance(asked.threads, int) else threads or THREADS_ON_CPU
        others = [first] * (most // each - 1)
    return (first, *others[: asked.devices - 1])


def read_spec(file: Path) -> JobSpec:
    """The spec in a JSON file. Raises SpecError with its first problem."""
    try:
        return JobSpec.model_validate_json(file.read_text())
    except OSError as error:
        raise SpecError(f"cannot read the spec: {error.strerror}", where=str(file)) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SpecError(f"the spec does not hold: {first['msg']}", where=f"{file}, {where}") from None


def with_start(run: RunDir, spec: JobSpec) -> JobSpec:
    """`spec`, with the model that the worker has chosen where it leaves that open. Raises SpecError."""
    if not spec.path.pretrain_jobs:
        return spec
    sha256 = read_object(run.start_file).get("sha256")
    if sha256 is None:
        raise SpecError(
            "which model it begins with is decided by a worker of the queue",
            where="path.pretrain_jobs",
            hint="by hand, name the file: path.pretrain_network_g",
        )
    chosen = {"pretrain_jobs": (), "pretrain_network_g": str(run.start_model), "pretrain_sha256": sha256}
    return spec.model_copy(update={"path": spec.path.model_copy(update=chosen)})


@dataclass(frozen=True)
class Resolved:
    """A spec with nothing `auto`; whether it was decided now, and what was measured for it, in words."""

    spec: JobSpec
    now: bool
    measured: str = ""


def resolve(
    run: RunDir, spec: JobSpec, machine: Machine, stopped: Callable[[], bool] = lambda: False
) -> Resolved:
    """Decides every `auto` but the loader's, and sets torch up for it.

    What an earlier attempt decided is used again, unless that was for another kind of device. Nothing else is
    taken from its file: it may have come from a remote folder, where others write.
    """
    if run.resolved_file.is_file():
        earlier = read_spec(run.resolved_file)
        if earlier.compute.device == machine.kind:
            asked = spec.compute
            decided = {name: value for name, value in earlier.compute if getattr(asked, name) == "auto"}
            decided["threads"] = earlier.compute.threads
            resolved = spec.model_copy(update={"compute": asked.model_copy(update=decided)})
            if resolved != earlier:
                _write(run, resolved)  # the others of a team read it
            # That machine may have had more cores; the fingerprint tells it.
            fewer = {"threads": min(int(earlier.compute.threads), machine.most_threads)}
            compute = resolved.compute.model_copy(update=fewer)
            prepare_torch(compute)
            return Resolved(resolved.model_copy(update={"compute": compute}), now=False)
    compute = decide(spec.compute, machine, spec.datasets.train.batch_size)
    prepare_torch(compute)
    by_rule = spec.model_copy(update={"compute": compute})
    compute, measured = choose(by_rule, spec.compute, machine.device, run.path.parent / FILE, stopped)
    resolved = spec.model_copy(update={"compute": compute})
    _write(run, resolved)
    return Resolved(resolved, now=True, measured=measured)


def _write(run: RunDir, resolved: JobSpec) -> None:
    write_file(run.resolved_file, (resolved.model_dump_json(indent=2) + "\n").encode())


def decide(asked: ComputeSpec, machine: Machine, batch_size: int) -> ComputeSpec:
    """A value for every `auto`; what was asked for stays.

    By rules of thumb, which levers.py corrects for longer runs. bf16 only where the chip computes in it:
    emulated it is far slower than float32. channels_last always: measured 10 to 30 % faster for each network
    here. A micro-batch is `batch_size` (accum_iter of them make a step) and is halved where it does not fit.
    Nothing is compiled: it takes a minute, and a compiler. No more threads than there are cores: with 99 on
    two, one step took 20 s.
    """
    threads = asked.threads
    if threads == "auto":
        threads = machine.threads or (THREADS_BESIDE_GPU if machine.kind == "cuda" else THREADS_ON_CPU)
    precision: Precision = "bf16" if machine.has_bf16 else "fp32"
    return ComputeSpec(
        device=machine.kind,
        precision=precision if asked.precision == "auto" else asked.precision,
        channels_last=True if asked.channels_last == "auto" else asked.channels_last,
        threads=min(threads, machine.most_threads),
        micro_batch=batch_size if asked.micro_batch == "auto" else asked.micro_batch,
        compile=False if asked.compile == "auto" else asked.compile,
        mode=asked.mode,
        devices=asked.devices,
        # How pictures come here is decided by each attempt anew: it changes no bit (see trainer.loading).
        bank=asked.bank,
        prefetch=asked.prefetch,
        loader_threads=asked.loader_threads,
        power_limit=asked.power_limit,
    )


def prepare_torch(compute: ComputeSpec) -> None:
    """Sets torch's global switches: threads; kernels that give the same bits each time, or the fastest."""
    if compute.threads == "auto":
        raise SrqueueError("the spec is not resolved")
    exact = compute.mode == "exact"
    # Before threads begin, which inherit it. What is below 1.2e-38 adds nothing, and costs Intel's processors
    # a hundred times as much: powers of small keys made attention by moments seven times as slow.
    torch.set_flush_denormal(True)
    torch.set_num_threads(compute.threads)
    torch.use_deterministic_algorithms(exact)
    # Filling fresh memory guards against reads of it, which we do not do; it costs a pass over each tensor.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not exact
    torch.backends.cudnn.deterministic = exact
    torch.backends.cudnn.allow_tf32 = not exact
    torch.backends.cuda.matmul.allow_tf32 = not exact


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    if probe is not None and bool(probe()):
        return True
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
