"""How fast this machine does the work of forecasts: from earlier jobs, else measured for some seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from srqueue.queue.forecasts import Forecast, Speed
    from srqueue.settings import Settings
    from srqueue.spec.job import JobSpec
    from srqueue.store.record import JobRecord

_SECONDS = 5.0
_LONGEST_MEASUREMENT = 300  # seconds, for all of them


def with_speeds(
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
        timed = iter(timed_speeds(settings, missing, megapixels))
        speeds = [speed or next(timed) for speed in speeds]
    known = [(f.spec, speed) for f, speed in zip(forecasts, speeds, strict=True) if speed]
    return [
        replace(f, speed=speed or estimated(f.spec, known))
        for f, speed in zip(forecasts, speeds, strict=True)
    ]


def timed_speeds(settings: Settings, specs: list[JobSpec], megapixels: float) -> list[Speed | None]:
    """A measurement for each spec, which is kept; the same work is timed once. None where there is none."""
    import json
    import subprocess
    import sys

    from srqueue.cli.output import say
    from srqueue.queue.forecasts import Speed
    from srqueue.queue.kept_speeds import SOURCE, KeptSpeeds
    from srqueue.stack.commands import child_environment
    from srqueue.variables import SECRET_VARIABLES

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
    for name in SECRET_VARIABLES:
        env.pop(name, None)
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
    kept = KeptSpeeds(settings)
    for spec, work in zip(specs, works, strict=True):
        result = results[different.index(work)]
        if "error" in result:
            say(f"note: {work['network_g']['type']} could not be measured: {result['error']}")
            found.append(None)
            continue
        kept.keep(spec, result)
        validation = result["validation_s_per_megapixel"] * megapixels
        found.append(Speed(result["it_s"], validation, SOURCE, measured=True))
    return found
