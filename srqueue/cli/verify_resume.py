"""`srqueue verify-resume`: is a resumed run the same, bit by bit, on this machine?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from srqueue.cli.complete import architectures, presets
from srqueue.cli.options import AsJson, Set

ENDS_A_CHECKPOINT = 3
"""Checkpoints that a run may write between two of its ends; enough, or it is over before all were tried."""


def verify_resume(
    preset: Annotated[str, typer.Option("--preset", help="How it trains.", autocompletion=presets)] = "tuned",
    arch: Annotated[
        str, typer.Option("--arch", help="Architecture.", autocompletion=architectures)
    ] = "compact",
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda[:n].")] = "auto",
    overrides: Set = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Every loss, optimizer, schedule, automation, precision (some minutes)."),
    ] = False,
    mutants: Annotated[
        bool,
        typer.Option("--mutants", help="Prove the proof: a checkpoint that lacks a field must be noticed."),
    ] = False,
    kills: Annotated[
        int,
        typer.Option(
            "--kills", min=0, max=100, help="SIGKILLs at random, beside those at each point of a save."
        ),
    ] = 4,
    stops: Annotated[int, typer.Option("--stops", min=0, max=100, help="Requests to stop.")] = 2,
    seed: Annotated[int, typer.Option("--seed", help="Of the random ends.")] = 0,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Keep the runs in this new folder.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a short job straight, and again ended over and over, and compare every bit.

    Exit code 1 where one differs. It is ended by SIGKILL at every point of writing a checkpoint and at
    random, and by requests to stop. The pictures are made up, the run is shortened, the rest is as the preset
    says. Takes a minute on a CPU.
    """
    import json
    import subprocess
    import sys

    from srqueue.errors import UsageError
    from srqueue.settings import load_settings
    from srqueue.stack.commands import child_environment, require

    require("torch", "worker")
    settings = load_settings()
    if keep is not None and keep.exists():
        raise UsageError("the folder is there already", where=str(keep), hint="name a new one")
    used = _device(settings.device if device == "auto" else device)
    ends = 8 + kills + stops
    request = {
        "spec": _spec(preset, arch, used, overrides or [], ENDS_A_CHECKPOINT * ends),
        "device": used, "all": every, "mutants": mutants, "kills": kills, "stops": stops, "seed": seed,
        "keep": str(keep.absolute()) if keep else None, "json": as_json,
    }  # fmt: skip
    argv = [sys.executable, "-m", "workers.verifying"]
    environment = child_environment(
        settings, OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", CUBLAS_WORKSPACE_CONFIG=":4096:8"
    )
    done = subprocess.run(argv, input=json.dumps(request), text=True, env=environment, check=False)
    raise typer.Exit(done.returncode)


def _device(asked: str) -> str:
    """cpu or cuda:<n>. Raises UsageError where it is not there."""
    from srqueue.errors import UsageError
    from srqueue.gpus import find_gpu

    kind, _, number = asked.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (number and not (kind == "cuda" and number.isdigit())):
        raise UsageError(
            f"there is no device {asked!r}", where="--device", hint="auto, cpu, cuda or cuda:<n>"
        )
    if kind == "cpu" or find_gpu(asked) is None:
        if kind == "cuda":
            raise UsageError(f"device {asked} is not there", where="--device", hint="see: nvidia-smi -L")
        return "cpu"
    return f"cuda:{number or 0}"


def _spec(preset: str, arch: str, device: str, overrides: list[str], checkpoints: int) -> dict[str, Any]:
    from srqueue.spec.expand import DatasetRef, expand, set_value

    every = 10
    short = {
        "datasets": {"train": {"lq_size": 16, "batch_size": 4}},
        "train": {"total_iter": every * checkpoints},
        "val": {"val_freq": every, "val_enabled": True},
        "compute": {"device": "cuda" if device.startswith("cuda") else "cpu", "threads": 1},
        "preflight": False,
    }
    given = [(f"--set {text}", set_value(text)) for text in overrides]
    dataset = DatasetRef("verify-resume", val_name="verify-resume")
    expanded = expand(dataset, preset=preset, architecture=arch, overrides=[("verify-resume", short), *given])
    return expanded.spec.model_dump(mode="json")
