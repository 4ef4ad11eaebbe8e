"""`srqueue recommend`: convenience or fidelity?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srqueue.cli import complete
from srqueue.cli.options import AsJson

if TYPE_CHECKING:
    from srqueue.datasets import DatasetEntry, Registry
    from srqueue.queue.forecasts import Forecast, Speed
    from srqueue.settings import Settings
    from srqueue.spec.expand import DatasetRef
    from srqueue.store.record import JobRecord

LEVELS = ("quick", "convenience", "tuned", "fidelity", "max-fidelity")
_HISTORY = 200  # newest jobs that are looked at


def recommend(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="A data set.", autocompletion=complete.datasets)
    ],
    hours: Annotated[
        float | None, typer.Option("--hours", min=0.01, help="The most it may take; no limit without it.")
    ] = None,
    arch: Annotated[
        str | None,
        typer.Option("--arch", help="Another architecture.", autocompletion=complete.architectures),
    ] = None,
    spec: Annotated[
        Path | None,
        typer.Option("--spec", metavar="FILE", help="A complete spec to time and consider beside them."),
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Time what no job here has done yet, some seconds.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Say which preset suits a data set, this machine and your hours; `--spec`: or a spec of your own.

    Speeds are those of earlier jobs here, else of a short measurement.
    """
    from srqueue.cli.output import print_json, say
    from srqueue.cli.speeds import with_speeds
    from srqueue.datasets import Registry, dataset_ref
    from srqueue.gpus import find_gpu
    from srqueue.queue.forecasts import THIS_SPEC, Forecast, advise
    from srqueue.settings import load_settings
    from srqueue.spec.complete import complete as completed
    from srqueue.spec.expand import expand
    from srqueue.spec.presets import load_preset, preset_names
    from srqueue.spec.reading import read_mapping

    settings = load_settings()
    registry = Registry(settings)
    ref, entry = dataset_ref(registry, dataset), registry.get(dataset)
    gpu = find_gpu(settings.device)
    forecasts = [
        Forecast(name, load_preset(name).description, expand(ref, preset=name, architecture=arch).spec)
        for name in LEVELS
        if name in preset_names()
    ]
    if spec is not None:
        own = completed(read_mapping(spec), f"file {spec}", dataset=ref).spec
        forecasts.insert(0, Forecast(THIS_SPEC, f"file {spec}", own))
    records, busy = _history(settings)
    if busy and measure:
        say("note: a job runs here: what is measured now is too slow")
    megapixels = _validated_megapixels(registry, entry)
    forecasts = with_speeds(settings, forecasts, records, gpu is not None, measure, megapixels)
    advice = advise(forecasts, hours, ref.stats)
    device = gpu.label if gpu else "the CPU"
    if as_json:
        rows = [_row(f) for f in forecasts]
        facts = {"device": device, "pictures": vars(ref.stats), "validated_megapixels": megapixels}
        print_json({"recommended": advice.preset, "why": advice.why, "presets": rows, **facts})
    else:
        _tell(dataset, device, ref, forecasts)
        print(f"\nrecommended: {advice.preset or '-'}")
        for sentence in advice.why:
            print(f"  {sentence}")
        if advice.preset == THIS_SPEC:
            print(f"  queue it: srqueue submit --spec {spec}")


def _history(settings: Settings) -> tuple[tuple[JobRecord, ...], bool]:
    """(the newest jobs, whether one runs on this machine); nothing without Redis."""
    import socket

    from srqueue.errors import ServiceUnreachable
    from srqueue.store.store import Store

    try:
        records = Store.connect(settings).list(limit=_HISTORY)
    except ServiceUnreachable:
        return (), False
    here = socket.gethostname()
    return records, any(r.state == "running" and r.host == here for r in records)


def _validated_megapixels(registry: Registry, entry: DatasetEntry) -> float:
    """Millions of HR pixels that one validation looks at, as far as is known."""
    from srqueue.errors import DataError
    from srqueue.run.listing import Listing

    name = entry.val or entry.name
    try:
        listing = Listing.read(registry.listing_file(name))
    except DataError:
        return entry.held_out * entry.median_width * entry.median_height / 1e6
    pictures = listing.pictures if entry.val else listing.held_out()
    return sum(p.width * p.height for p in pictures) / 1e6


def _row(forecast: Forecast) -> dict[str, Any]:
    speed = forecast.speed
    return {
        "preset": forecast.preset,
        "iterations": forecast.iterations,
        "validations": forecast.validations,
        "it_s": speed.it_s if speed else None,
        "validation_s": speed.validation_s if speed else None,
        "hours": forecast.hours,
        "source": speed.source if speed else None,
        "measured": bool(speed and speed.measured),
        "network": forecast.spec.network_g.model_dump(mode="json"),
    }


def _tell(dataset: str, device: str, ref: DatasetRef, forecasts: list[Forecast]) -> None:
    from srqueue.cli.output import duration, print_table
    from srqueue.counting import counted
    from srqueue.spec.networks import network_name

    stats = ref.stats
    known = counted(stats.pictures, "picture") if stats.pictures else "? pictures"
    size = f", {stats.median_width}x{stats.median_height} in the middle" if stats.median_width else ""
    sharp = f", sharpness {stats.sharpness:.2f}" if stats.sharpness else ""
    blurred = " (blurred or enlarged?)" if stats.blurred else ""
    print(f"{dataset}: {known} to train on{size}{sharp}{blurred}")
    print(f"device: {device}\n")
    rows = []
    for f in forecasts:
        hours = f.hours
        rows.append(
            [
                f.preset,
                network_name(f.spec.network_g),
                str(f.iterations),
                f"{f.speed.it_s:.1f} it/s" if f.speed else "-",
                str(f.validations),
                duration(hours * 3600) if hours is not None else "-",
                _origin(f.speed),
            ]
        )
    print_table(["PRESET", "NETWORK", "ITERATIONS", "SPEED", "VALIDATIONS", "AT THE MOST", "FROM"], rows)


def _origin(speed: Speed | None) -> str:
    if speed is None:
        return "not known"
    if not speed.measured:
        return speed.source
    return f"measured: {speed.source}"
