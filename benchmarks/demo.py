"""How long from a clone to the demo's result, and how much does it gain over bicubic?

Clones this checkout, types `make demo` there with a state folder of its own, and reads the run's own files.
Most of the time is pip's: it depends on the network and on what pip has cached.  python -m benchmarks.demo
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.machine import machine, write

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Runs it once; both Python and make must be on PATH."""
    now = machine()
    with tempfile.TemporaryDirectory(prefix="srq-") as folder:
        clone, home = Path(folder) / "clone", Path(folder) / "home"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        env = os.environ | {"SRQUEUE_HOME": str(home), "SRQUEUE_DATASETS": str(home / "datasets.yaml")}
        start = time.monotonic()
        subprocess.run(["make", ".venv/.demo"], cwd=clone, env=env, check=True)
        installed = time.monotonic()
        shown = subprocess.run(["make", "demo"], cwd=clone, env=env, capture_output=True, text=True)
        ended = time.monotonic()
        print(shown.stdout, shown.stderr, sep="\n")
        if shown.returncode != 0:
            sys.exit("the demo failed")
        (run,) = (home / "runs").glob("01*")
        metrics = json.loads((run / "export" / "metrics.json").read_text())
        events = [json.loads(line) for line in (run / "attempts/1/events.jsonl").read_text().splitlines()]
        phases = [(e["t"], e["data"]["phase"]) for e in events if e["kind"] == "phase"]
        training = next(t for t, name in phases if name == "exporting") - phases[0][0]
        resolved = json.loads((run / "spec.resolved.json").read_text())["compute"]
    figures = {
        "minutes_install": round((installed - start) / 60, 2),
        "minutes_demo": round((ended - installed) / 60, 2),
        "minutes_clone_to_result": round((ended - start) / 60, 2),
        "seconds_of_training_with_validation": round(training, 1),
        "compute": resolved,
        "metrics": metrics.get("metrics", metrics),
    }
    write("demo", "python -m benchmarks.demo", figures, now)


if __name__ == "__main__":
    main()
