"""`srqueue show`: one job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from srqueue.cli.verbs import AsJson, JobRef

if TYPE_CHECKING:
    from srqueue.store.record import JobRecord
    from srqueue.store.store import Store


def show(
    job: JobRef,
    spec: Annotated[bool, typer.Option("--spec", help="Print the full spec with origins instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one job: state, progress, figures, files."""
    from srqueue.cli.output import job_dict, print_json
    from srqueue.settings import load_settings
    from srqueue.store.store import Store

    store = Store.connect(load_settings())
    record = store.get(store.resolve(job))
    if as_json:
        print_json(job_dict(record))
    elif spec:
        from srqueue.spec.text import annotated_yaml

        print(annotated_yaml(record.spec, record.origins), end="")
    else:
        left = store.moments(record.id).lease_left if record.state == "running" else None
        lease = _lease(left, record.short_id)
        for label, value in _lines(record, _why_waiting(store, record), lease):
            print(f"{label:<12}{value}")


def _why_waiting(store: Store, record: JobRecord) -> str | None:
    """What a queued or held job waits for."""
    from srqueue.cli.output import first_line
    from srqueue.queue.waiting import why_it_waits

    return first_line(why_it_waits(store, record) or "") or None


def _lease(left: float | None, short_id: str) -> str | None:
    """That the owner has not renewed."""
    from srqueue.cli.output import duration

    if left is None or left > 0:
        return None
    return f"ran out {duration(-left)} ago; its worker is gone or cut off (srqueue explain {short_id})"


def _lines(record: JobRecord, waits: str | None, lease: str | None) -> list[tuple[str, str]]:
    from srqueue.cli.output import ago, duration, number, wish_text
    from srqueue.counting import counted

    wish = wish_text(record)
    values = {**record.progress, **record.metrics}
    lines: list[tuple[str, Any]] = [
        ("id", record.id),
        ("name", record.name),
        ("campaign", ", ".join(record.campaigns) or None),
        ("state", f"{record.state}, {wish}" if wish else record.state),
        ("why", record.message or None),
        ("waits", waits),
        ("next try", f"in {duration(record.not_before - _now())}" if record.not_before else None),
        ("progress", f"iteration {record.iteration} of {record.total_iter}"),
        ("speed", f"{number(values, 'it_s', '.1f')} it/s" if record.state == "running" else None),
        ("energy", energy(record)),
        ("ETA", duration(values.get("eta_s")) if record.state == "running" else None),
        ("forecast", _forecast(record)),
        ("PSNR-Y", _beside_bicubic(values, "psnr", " dB")),
        ("SSIM-Y", _beside_bicubic(values, "ssim", "")),
        ("ensemble", _ensemble(values)),
        ("priority", record.priority),
        ("user", record.user),
        ("needs", _needs(record)),
        ("runs on", f"{record.host or '?'} ({record.owner})" if record.owner else None),
        ("lease", lease),
        ("attempts", _attempts(record)),
        ("gave way", counted(record.preemptions, "time") if record.preemptions else None),
        ("yielded", _yielded(record)),
        ("checkpoint", f"number {record.seq}" if record.seq is not None else None),
        ("uploaded", _uploaded(record)),
        ("created", ago(record.created)),
        ("started", ago(record.started) if record.started else None),
        ("finished", ago(record.finished) if record.finished else None),
        ("run folder", record.run_dir),
        *_exported(record),
    ]
    return [(label, str(value)) for label, value in lines if value is not None]


def _uploaded(record: JobRecord) -> str | None:
    if record.remote_seq is None:
        return None
    return f"checkpoint {record.remote_seq}, iteration {record.remote_iteration}"


def _needs(record: JobRecord) -> str | None:
    from srqueue.cli.needs import text

    return text(record) or None


def _yielded(record: JobRecord) -> str | None:
    from srqueue.counting import counted, span

    if not record.yields:
        return None
    waited = f", {span(record.yielded_s)} in all" if record.yielded_s else ""
    return f"{counted(record.yields, 'time')} to the user of its machine, or since its window closed{waited}"


def energy(record: JobRecord) -> str | None:
    """`0.52 kWh, 0.1 kWh of it estimated, 0.17 EUR`; what a kill lost is not in it.

    The estimated part of what came after the last report is told nowhere on the record: its share is taken.
    """
    kwh = {**record.progress, **record.metrics}.get("kwh")
    if not isinstance(kwh, int | float) or kwh <= 0:
        return None
    told, estimated = record.progress.get("kwh"), record.progress.get("kwh_estimated")
    if told and isinstance(told, int | float) and isinstance(estimated, int | float):
        estimated = kwh * min(1.0, estimated / told)
    from srqueue.report.energy import Energy
    from srqueue.settings import load_settings

    settings = load_settings()
    cost = None if settings.kwh_price is None else kwh * settings.kwh_price
    guessed = float(estimated) if isinstance(estimated, int | float) else 0.0
    return Energy(float(kwh), 0.0, guessed, cost, settings.currency).text()


def _forecast(record: JobRecord) -> str | None:
    """When it ends and how good it will be, with what was known at the last validation."""
    from srqueue.forecast.told import Told

    told = Told.of(record.progress)
    if told is None or record.state.final:
        return None
    if record.state != "running":  # the time of the end is over, its quality is not
        return told.quality() and f"{told.quality()} at the end, as of iteration {told.iteration}"
    return told.sentence(_now())


def _attempts(record: JobRecord) -> str | None:
    if not record.attempts:
        return None
    told = f"{record.attempts}, failed in a row: {record.failures}"
    return (
        told
        if record.attempts == 1 and not record.failures
        else f"{told} (srqueue explain {record.short_id})"
    )


def _exported(record: JobRecord) -> list[tuple[str, Any]]:
    """What the run left, where its folder is on this machine."""
    from srqueue.store.run_folders import run_of

    run = run_of(record) if record.state.final else None
    found = sorted(run.export.glob("*")) if run else []
    labels = {".safetensors": "model", ".png": "picture", ".json": "figures"}
    return [(labels[file.suffix], file) for file in found if file.suffix in labels]


def _beside_bicubic(values: dict[str, Any], metric: str, unit: str) -> str | None:
    """`31.20 dB best, bicubic 30.10 dB`, from a record's progress and metrics."""
    digits = ".2f" if metric == "psnr" else ".4f"

    def first(*keys: str) -> float | None:
        return next((values[k] for k in keys if isinstance(values.get(k), int | float)), None)

    best = first(f"best/{metric}", f"best_{metric}", f"val/{metric}", metric)
    base = first(f"bicubic/{metric}", f"bicubic_{metric}")
    if best is None:
        return None
    return f"{best:{digits}}{unit}" + ("" if base is None else f" (bicubic {base:{digits}}{unit})")


def _ensemble(values: dict[str, Any]) -> str | None:
    """`31.42 dB, SSIM 0.8911, by self-ensemble`, where that was measured."""
    psnr, ssim = values.get("ensemble/psnr"), values.get("ensemble/ssim")
    if not isinstance(psnr, int | float):
        return None
    similar = f", SSIM {ssim:.4f}" if isinstance(ssim, int | float) else ""
    return f"{psnr:.2f} dB{similar}, by self-ensemble (eight passes)"


def _now() -> float:
    import time

    return time.time()
