"""`srqueue needs`: what a job's worker must have; shown, and changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srqueue.cli import options
from srqueue.cli.verbs import AsJson, JobRef

if TYPE_CHECKING:
    from srqueue.store.record import JobRecord


def needs(
    job: JobRef,
    gpu_memory: options.GpuMemory = None,
    gpus: Annotated[
        int | None,
        typer.Option("--gpus", min=0, max=64, help="GPUs of its worker.", rich_help_panel=options.PLACE),
    ] = None,
    require: options.Require = None,
    host: options.Host = None,
    label: options.Label = None,
    none: Annotated[
        bool,
        typer.Option("--none", help="It needs nothing of what it needed; options beside it add to that."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a job needs of its worker, or change it: each option takes the place of what was said before.

    A running job goes on where it is. --none also forgets how much memory was measured, and the default that
    earlier jobs of its kind have given it.
    """
    from srqueue.cli.output import job_summary, print_json
    from srqueue.queue.client import Client
    from srqueue.spec.needs import NeedsSpec

    client = Client()
    record = client.get(job)
    changes = dict(needs_of(gpu_memory, gpus, require, host, label).values())
    if changes or none:
        before = {} if none else record.wants.model_dump()
        record = client.set_needs(
            record.id, NeedsSpec.model_validate({**before, **changes}), measured=not none
        )
    if as_json:
        print_json({"needs": record.wants.model_dump(mode="json"), "job": job_summary(record)})
    else:
        print(f"{record.name} {record.short_id} needs: {text(record) or 'nothing'}")


def text(record: JobRecord) -> str:
    """What a job needs, in words, and what was measured."""
    from srqueue.spec.needs import needs_text

    parts = [needs_text(record.wants)]
    if record.peak and record.peak > (record.gpu_memory or 0):
        parts.append(f"{record.peak / 2**30:.1f} GiB of GPU memory, as measured")
    if record.guessed:
        parts.append(f"{record.guessed / 2**30:.1f} GiB of GPU memory by default, as a job of its kind took")
    return ", ".join(filter(None, parts))


def needs_of(
    gpu_memory: str | None, gpus: int | None, require: Sequence[str] | None, host: str | None,
    label: Sequence[str] | None,
) -> dict[str, tuple[str, Any]]:  # fmt: skip
    """Flag -> (key of NeedsSpec, value) of what was given. Raises SpecError that names the flag."""
    from srqueue.errors import SpecError
    from srqueue.spec.needs import parse_feature, parse_host, parse_label, parse_labels, parse_memory

    def each(parse: Any, given: Sequence[str]) -> list[str]:
        return [parse(part) for one in given for part in one.split(",") if part.strip()]

    found: dict[str, tuple[str, Any]] = {}
    flag = ""
    try:
        if gpu_memory is not None:
            flag = "gpu-memory"
            parse_memory(gpu_memory)
            found[flag] = ("gpu_memory", gpu_memory)
        if gpus is not None:
            found["gpus"] = ("gpus", gpus)
        if require:
            flag = "require"
            found[flag] = ("require", each(parse_feature, require))
        if host is not None:
            flag = "host"
            found[flag] = ("host", parse_host(host))
        if label:
            flag = "label"
            found[flag] = ("labels", list(parse_labels(",".join(each(parse_label, label)))))
    except SpecError as error:
        raise SpecError(error.message, where=f"--{flag}", hint=error.hint) from None
    return found
