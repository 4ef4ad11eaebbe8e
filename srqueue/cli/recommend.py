"""`srqueue recommend`: convenience or fidelity?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from srqueue.cli import complete
from srqueue.cli.options import AsJson

if TYPE_CHECKING:
    from srqueue.datasets import DatasetEntry, Registry
    from srqueue.queue.forecasts import Forecast, Speed
    from srqueue.settings import Settings
    from srqueue.spec.expand import DatasetRef
    from srqueue.spec.job import JobSpec
    from srqueue.store.record import JobRecord

LEVELS = ("quick", "convenience", "tuned", "fidelity", "max-fidelity")
_SECONDS = 5.0
_LONGEST_MEASUREMENT = 300  # seconds, for all of them
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
    measure: Annotated[
        bool, typer.Option("--measure/--no-measure", help="Time what no job here has done yet, some seconds.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Say which preset suits a data set, this machine and your hours.

    Speeds are those of earlier jobs here, else of a short measurement.
    """
    from srqueue.cli.output import print_json, say
    from srqueue.datasets import Registry, dataset_ref
    from srqueue.gpus import find_gpu
    from srqueue.queue.forecasts import Forecast, advise
    from srqueue.settings import load_settings
    from srqueue.spec.expand import expand
    from srqueue.spec.presets import load_preset, preset_names

    settings = load_settings()
    registry = Registry(settings)
    ref, entry = dataset_ref(registry, dataset), registry.get(dataset)
    gpu = find_gpu(settings.device)
    forecasts = [
        Forecast(name, load_preset(name).description, expand(ref, preset=name, architecture=arch).spec)
        for name in LEVELS
        if name in preset_names()
    ]
    records, busy = _history(settings)
    if busy and measure:
        say("note: a job runs here: what is measured now is too slow")
    megapixels = _validated_megapixels(registry, entry)
    forecasts = _with_speeds(settings, forecasts, records, gpu is not None, measure, megapixels)
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


def _with_speeds(
    settings: Settings,
    forecasts: list[Forecast],
    records: tuple[JobRecord, ...],
    gpu: bool,
    measure: bool,
    megapixels: float,
) -> list[Forecast]:
    """The forecasts with what is known of this machine: from jobs, then measured, then estimated."""
    from dataclasses import replace

    from srqueue.queue.forecasts import estimated, from_history

    kind = "cuda" if gpu else "cpu"
    speeds = [from_history(f.spec, records, kind) for f in forecasts]
    if measure and None in speeds:
        missing = [f.spec for f, speed in zip(forecasts, speeds, strict=True) if speed is None]
        timed = iter(_measured(settings, missing, megapixels))
        speeds = [speed or next(timed) for speed in speeds]
    known = [(f.spec, speed) for f, speed in zip(forecasts, speeds, strict=True) if speed]
    return [
        replace(f, speed=speed or estimated(f.spec, known))
        for f, speed in zip(forecasts, speeds, strict=True)
    ]


def _measured(settings: Settings, specs: list[JobSpec], megapixels: float) -> list[Speed | None]:
    """A measurement for each spec; the same work is timed once. None where there is none."""
    import json
    import subprocess
    import sys

    from srqueue.cli.output import say
    from srqueue.queue.forecasts import Speed
    from srqueue.stack.commands import child_environment

    works = [spec.model_copy(update={"name": "work"}).model_dump(mode="json") for spec in specs]
    for work in works:  # what makes no difference to the speed
        work["train"] |= {"total_iter": 10**6, "warmup_iter": 0, "training_automations": {}}
        work["train"]["optim_g"] = {"type": work["train"]["optim_g"]["type"], "lr": 1e-4}
        work["val"], work["logger"], work["preflight"] = {}, {}, False
    different = [w for i, w in enumerate(works) if w not in works[:i]]
    request = {
        "specs": different,
        "device": "cuda:0" if settings.device == "cuda" else settings.device,
        "threads": settings.threads,
        "seconds": _SECONDS,
    }
    threads = str(settings.threads or 1)
    env = child_environment(settings, OMP_NUM_THREADS=threads, MKL_NUM_THREADS=threads)
    env.pop("SRQUEUE_REDIS_URL", None)
    say(f"measuring {len(different)} kind{'s' if len(different) > 1 else ''} of work, some seconds each ...")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "workers.speed"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            env=env,
            timeout=_LONGEST_MEASUREMENT,
        )
        results: list[dict[str, Any]] = json.loads(done.stdout.rstrip().rpartition("\n")[2])["results"]
    except (subprocess.SubprocessError, OSError, ValueError, KeyError):
        say("note: nothing could be measured: is torch installed here? (pip install 'srqueue[worker]')")
        return [None] * len(specs)
    found: list[Speed | None] = []
    for work in works:
        result = results[different.index(work)]
        if "error" in result:
            say(f"note: {work['network_g']['type']} could not be measured: {result['error']}")
            found.append(None)
            continue
        validation = result["validation_s_per_megapixel"] * megapixels
        found.append(Speed(result["it_s"], validation, "a short measurement", measured=True))
    return found


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
