"""`make bench`: the quick benchmarks, one after the other."""

import subprocess
import sys

QUICK = (
    ["benchmarks.cli", "--rounds", "5"],
    ["benchmarks.dispatch", "--rounds", "5"],
    ["benchmarks.scale", "--jobs", "5000", "--rounds", "3"],
    ["benchmarks.noop_dispatch", "--jobs", "300", "--rounds", "2"],
    ["benchmarks.loader", "--seconds", "2", "--rounds", "1"],
    ["benchmarks.trainer", "--rounds", "1", "--lengths", "50", "250"],
)

for module, *arguments in QUICK:
    print(f"== {module} {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)
