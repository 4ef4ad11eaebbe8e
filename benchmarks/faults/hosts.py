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
    return run_tests("hosts", "tests/hosts", "--ignore=tests/hosts/test_campaign.py")


def run_tests(name: str, *tests: str, **variables: str) -> bool:
    """Writes results/faults_NAME.json of what tests noted; True where all passed."""
    now = machine()
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        required = {"HOSTS_ROWS": str(rows), "HOSTS_TESTS": "required", "DEPLOY_TESTS": "required"}
        argv = [sys.executable, "-m", "pytest", "-q", *tests]
        ended = subprocess.run(argv, cwd=ROOT, env={**os.environ, **required, **variables})
        found = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
    figures = {"all_identical": ended.returncode == 0, "faults": found}
    write(f"faults_{name}", f"python -m benchmarks.faults {name}", figures, now)
    return ended.returncode == 0
