"""`make bench`: the quick benchmarks, one after the other, in under five minutes of a quiet machine.

Short runs: their results go to build/bench, beside the committed ones of the long runs.
"""

import os
import subprocess
import sys
import time

QUICK = (
    ["benchmarks.cli", "--rounds", "5"],
    ["benchmarks.dispatch", "--rounds", "5"],
    ["benchmarks.scale", "--jobs", "5000", "--rounds", "3"],
    ["benchmarks.noop_dispatch", "--jobs", "300", "--rounds", "2"],
    ["benchmarks.loader", "--seconds", "2", "--rounds", "1"],
    ["benchmarks.trainer", "--rounds", "1", "--lengths", "50", "250"],
)

BESIDE = {"BENCH_RESULTS": "build/bench", **os.environ}

for module, *arguments in QUICK:
    print(f"== {module} {' '.join(arguments)}", flush=True)
    begun = time.monotonic()
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, env=BESIDE)
    print(f"-- {time.monotonic() - begun:.0f} s", flush=True)
