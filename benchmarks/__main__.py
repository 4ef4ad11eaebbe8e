"""`make bench`: the quick benchmarks, one after the other."""

import subprocess
import sys

QUICK = (
    ["benchmarks.cli", "--rounds", "5"],
    ["benchmarks.dispatch", "--rounds", "5"],
    ["benchmarks.trainer", "--rounds", "2", "--lengths", "100", "300"],
)

for module, *arguments in QUICK:
    print(f"== {module} {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, "-m", module, *arguments], check=True)
