"""JobSpec: the frozen, complete description of one training."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, Self

import rfc8785
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from srqueue.spec.base import Frozen
from srqueue.spec.degradations import DegradationsSpec
from srqueue.spec.losses import SMALLEST_CROP
from srqueue.spec.needs import NeedsSpec
from srqueue.spec.networks import NetworkSpec
from srqueue.spec.stopping import StopRules
from srqueue.spec.training import TrainSpec
from srqueue.spec.windows import Windows

SPEC_VERSION: Literal[1] = 1

LOADER = frozenset({"bank", "prefetch", "loader_threads", "power_limit"})
"""Fields of ComputeSpec that change no bit of what is trained: how pictures come to the device, its power."""

SafeName = Annotated[str, Field(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z")]
Identity = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
JobId = Annotated[str, Field(pattern=r"\A[0-9A-HJKMNP-TV-Z]{26}\z")]


class TrainSetSpec(Frozen):
    """What is trained on: a data set by name and content, never by path."""

    name: SafeName
    identity: Identity | None = Field(None, description="SHA-256 over the pictures and the held-out list")
    lq_size: int = Field(64, ge=8, le=1024, description="side of a low-resolution crop, pixels")
    batch_size: int = Field(16, ge=1, le=4096, description="crops an optimizer step, times accum_iter")
    accum_iter: int = Field(1, ge=1, le=1024, description="batches whose gradients one step adds up")
    use_hflip: bool = True
    use_rot: bool = True
    degradations: DegradationsSpec = DegradationsSpec()

    @property
    def effective_batch(self) -> int:
        """Crops that one optimizer step is made of."""
        return self.batch_size * self.accum_iter


class ValSetSpec(Frozen):
    """What is validated on. The training set's own name means the share held out of it."""

    name: SafeName
    identity: Identity | None = None


class DatasetsSpec(Frozen):
    """The `datasets` section."""

    train: TrainSetSpec
    val: ValSetSpec | None = None


class PathSpec(Frozen):
    """The `path` section."""

    pretrain_network_g: str | None = Field(None, description="safetensors file to start from")
    strict_load_g: bool = True
    pretrain_sha256: Identity | None = Field(None, description="what that file must be, where it is known")
    resume_from: str | None = Field(
        None, description="checkpoint folder of another run that this one goes on from, at its iteration"
    )
    pretrain_jobs: tuple[JobId, ...] = Field(
        (),
        max_length=1000,
        description="jobs of which the best one's model is what it starts from, once they ended",
    )


class ValSpec(Frozen):
    """The `val` section; the paper prints it at top level and under `train`, and both are read."""

    val_enabled: bool = True
    val_freq: int = Field(1000, ge=1, description="iterations between validations")
    self_ensemble: bool = Field(
        False, description="at the end also measure the mean over eight mirrored and turned inputs"
    )


class LoggerSpec(Frozen):
    """The `logger` section; it never influences what is trained."""

    print_freq: int = Field(100, ge=1, description="iterations between two reports")
    save_checkpoint_seconds: float = Field(60, ge=1, le=86400, description="seconds between two checkpoints")


class ComputeSpec(Frozen):
    """How the arithmetic is done. `auto` is decided once, on the first machine that runs the job."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    channels_last: Literal["auto"] | bool = "auto"
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=1024)] = "auto"
    micro_batch: Literal["auto"] | Annotated[int, Field(ge=1, le=65536)] = Field(
        "auto", description="crops at once on the device; a step adds up as many as its batch has"
    )
    devices: int = Field(
        1, ge=1, le=64, description="GPUs (processes on a CPU) that share each batch, where so many are there"
    )
    compile: Literal["auto"] | bool = Field("auto", description="torch.compile for the network")
    mode: Literal["exact", "fast"] = Field(
        "exact", description="exact: the same bits each time; fast: kernels chosen by timing, TF32, compiled"
    )
    bank: Literal["auto"] | bool = Field(
        "auto", description="a crop bank on disk; auto: where the decoded pictures do not fit into memory"
    )
    prefetch: Literal["auto"] | Annotated[int, Field(ge=0, le=64)] = Field(
        "auto", description="batches made ahead, beside the step; auto: by device and where the pictures lie"
    )
    power_limit: float | None = Field(
        None, gt=0, le=5000, description="watts that its GPU may draw, where the worker may set that"
    )
    loader_threads: Literal["auto"] | Annotated[int, Field(ge=1, le=64)] = Field(
        "auto", description="threads that make batches ahead"
    )


class JobSpec(Frozen):
    """One training, complete. Its `spec_id` names what influences the result."""

    spec_version: Literal[1] = SPEC_VERSION
    name: SafeName
    scale: Literal[2, 3, 4] = 2
    manual_seed: int = Field(1024, ge=0, lt=2**63)
    network_g: NetworkSpec
    datasets: DatasetsSpec
    path: PathSpec = PathSpec()
    train: TrainSpec
    val: ValSpec = ValSpec()
    logger: LoggerSpec = LoggerSpec()
    compute: ComputeSpec = ComputeSpec()
    preflight: bool = Field(False, description="try everything for a minute before the first iteration")
    window: Windows = Field(
        (), description="when it may run, such as 22:00-07:00, by the clock of its worker"
    )
    stop: StopRules = Field(
        (), description="what ends it before total_iter, whichever comes first; see stopping"
    )
    needs: NeedsSpec = Field(NeedsSpec(), description="what its worker must have; see needs")

    @model_serializer(mode="wrap")
    def _without_empty_needs(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A version before reads every spec that needs nothing: it refuses unknown keys."""
        raw: dict[str, Any] = write(self)
        if not self.needs:
            raw.pop("needs", None)
        return raw

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        hr = self.datasets.train.lq_size * self.scale
        for loss in self.train.losses:
            if hr < SMALLEST_CROP.get(loss.type, 0):
                least = SMALLEST_CROP[loss.type]
                raise ValueError(f"the loss {loss.type} needs crops of {least} pixels or more, here {hr}")
        named = ("resume_from", "pretrain_network_g", "pretrain_jobs")
        starts = [f"path.{name}" for name in named if getattr(self.path, name)]
        if len(starts) > 1:
            raise ValueError(f"{' and '.join(starts)} exclude each other")
        if self.needs.wants_gpu and self.compute.device == "cpu":
            raise ValueError("needs asks for a GPU, and compute.device is cpu: leave one of them out")
        return self


def spec_id(spec: JobSpec) -> str:
    """SHA-256 (hex) of the canonical JSON (RFC 8785) of what influences training.

    Left out: name, logger, preflight, stop, window, needs, what changes no bit (LOADER), and every field at
    its default, so that a later version's new field with a default changes no id. A data set counts by its
    content where that is known, else by its name.
    """
    left_out = {"name", "logger", "preflight", "stop", "window", "needs"}
    body: dict[str, Any] = spec.model_dump(mode="json", exclude_defaults=True, exclude=left_out)
    compute = {key: value for key, value in body.pop("compute", {}).items() if key not in LOADER}
    if compute:
        body["compute"] = compute
    body["spec_version"] = spec.spec_version
    body["network_g"] = {"type": spec.network_g.type, **body.get("network_g", {})}
    for part in body["datasets"].values():
        if part and part.get("identity"):
            del part["name"]
    if spec.datasets.val is not None:
        body["datasets"].setdefault("val", {})["own"] = spec.datasets.val.name == spec.datasets.train.name
    train = body["train"]
    train["losses"] = [loss.model_dump(mode="json") for loss in spec.train.losses]
    if spec.train.optim_g.type != "AdamW":  # the one that is meant where none is named
        train["optim_g"] = spec.train.optim_g.model_dump(mode="json")
    if "degradations" in body["datasets"]["train"]:
        body["datasets"]["train"]["degradations"] = spec.datasets.train.degradations.model_dump(mode="json")
    train["scheduler"] = spec.train.scheduler.model_dump(mode="json")
    return hashlib.sha256(rfc8785.dumps(body)).hexdigest()
