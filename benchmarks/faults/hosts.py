"""Faults between hosts: links cut and slow, a wrong clock, a failover. Runs tests/hosts, keeps what came."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import machine, write

ROOT = Path(__file__).parents[2]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def main(_: argparse.Namespace) -> bool:
    """True where every job ended with the bits of an undisturbed one."""
    now = machine()
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        environment = {**os.environ, "HOSTS_ROWS": str(rows), "HOSTS_TESTS": "required"}
        tests = [sys.executable, "-m", "pytest", "-q", "tests/hosts"]
        ended = subprocess.run(tests, cwd=ROOT, env=environment)
        found = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
    figures = {"all_identical": ended.returncode == 0, "faults": found}
    write("faults_hosts", "python -m benchmarks.faults hosts", figures, now)
    return ended.returncode == 0
