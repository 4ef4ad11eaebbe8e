"""Which runs tell something of another: those of the same work, of the same kind, and of a similar one."""

from __future__ import annotations

import hashlib

from srqueue.spec.job import JobSpec

Key = str


def work_of(spec: JobSpec) -> Key:
    """The same where a step takes the same time on the same device."""
    train, set_, devices = spec.train, spec.datasets.train, spec.compute.devices
    return repr(
        (
            spec.network_g, spec.scale, set_.lq_size, set_.batch_size, set_.accum_iter, set_.degradations,
            train.optim_g.type, [loss.type for loss in train.losses], *([devices] if devices > 1 else []),
        )
    )  # fmt: skip


def memory_kind(spec: JobSpec) -> Key:
    """The same where a step takes about the same memory of such a GPU; short, to be kept in Redis."""
    compute = spec.compute.model_dump(
        mode="json", include={"precision", "channels_last", "micro_batch", "devices", "compile", "mode"}
    )
    return hashlib.sha256(repr((work_of(spec), compute)).encode()).hexdigest()[:24]


def work_text(spec: JobSpec) -> str:
    """A step's work for people: `compact x2 (num_feat 32), 16 crops of 48 px`."""
    set_, net, fields = spec.datasets.train, spec.network_g, type(spec.network_g).model_fields
    own = ", ".join(f"{k} {v}" for k, v in net if k != "type" and v != fields[k].default)
    what = f"{net.type} x{spec.scale}" + (f" ({own})" if own else "")
    shared = f" on {spec.compute.devices} devices" if spec.compute.devices > 1 else ""
    return f"{what}, {set_.effective_batch} crops of {set_.lq_size} px{shared}"


def kind_of(spec: JobSpec) -> Key:
    """The same where only chance (seed) and names tell two runs apart."""
    raw = spec.model_dump(mode="json", include={"network_g", "scale", "datasets", "train", "val", "path"})
    return repr(raw)


def family_of(spec: JobSpec) -> Key:
    """The same for one network, scale, data, crops and kind of schedule, whatever rate and length."""
    train, data = spec.train, spec.datasets
    validated = data.val.identity or data.val.name if data.val else ""
    begun = bool(spec.path.pretrain_network_g or spec.path.pretrain_jobs)
    return repr(
        (
            spec.network_g, spec.scale, data.train.identity or data.train.name, validated, data.train.lq_size,
            data.train.effective_batch, train.scheduler.type, train.optim_g.type, begun,
        )
    )  # fmt: skip


def validated_of(spec: JobSpec) -> Key:
    """The same where a validation of the same network looks at the same pictures; empty without any."""
    if spec.datasets.val is None or not spec.val.val_enabled:
        return ""
    data, own = spec.datasets.val, spec.datasets.train
    return repr((data.identity or data.name, data.name == own.name))  # its own name: what is held out


def validations_of(spec: JobSpec, iterations: int | None = None) -> int:
    """How often it validates in so many iterations, or if nothing stops it early."""
    if spec.datasets.val is None or not spec.val.val_enabled:
        return 0
    return -(-(spec.train.total_iter if iterations is None else iterations) // spec.val.val_freq)
