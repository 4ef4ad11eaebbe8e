"""How much CPU do `srqueue --help`, `ls` and `submit --dry-run` take, and do they leave torch alone?

python -m benchmarks.cli [--rounds 9]
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import machine, timed, write
from srqueue.settings import load_settings
from srqueue.stack.stack import Stack

HEAVY = ("torch", "kornia", "numpy", "PIL", "scipy")
PROBE = f"""
import sys
from srqueue.cli.__main__ import main
code = main()
sys.stderr.write("HEAVY " + ",".join(m for m in {HEAVY!r} if m in sys.modules) + "\\n")
sys.exit(code)
"""


def main() -> None:
    """Runs the commands in turn, a bare `python -c pass` among them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    now = machine()
    with tempfile.TemporaryDirectory() as home:
        registry = Path(home) / "datasets.yaml"
        registry.write_text(
            "cc0: {hr: /nowhere/hr, identity: " + "a" * 64 + ", scale: 2, pictures: 10, held_out: 1,"
            " min_width: 256, min_height: 256}\n"
        )
        os.environ |= {"SRQUEUE_HOME": home, "SRQUEUE_DATASETS": str(registry)}
        stack = Stack(load_settings())
        stack.up(["server"])
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "srqueue --help": [sys.executable, "-c", PROBE, "--help"],
            "srqueue ls": [sys.executable, "-c", PROBE, "ls"],
            "srqueue submit cc0 --fidelity --dry-run": [
                sys.executable, "-c", PROBE, "submit", "cc0", "--fidelity", "--dry-run",
            ],
        }  # fmt: skip
        cpu: dict[str, list[float]] = {name: [] for name in commands}
        wall: dict[str, list[float]] = {name: [] for name in commands}
        heavy: dict[str, str] = {}
        try:
            for _ in range(rounds):
                for name, command in commands.items():
                    c, w, output = timed(command)
                    cpu[name].append(c)
                    wall[name].append(w)
                    if "HEAVY " in output:
                        heavy[name] = output.rpartition("HEAVY ")[2].strip()
        finally:
            stack.down()
    figures = {
        name: {
            "cpu_s_median": round(statistics.median(cpu[name]), 3),
            "cpu_s_range": [round(min(cpu[name]), 3), round(max(cpu[name]), 3)],
            "wall_s_median": round(statistics.median(wall[name]), 3),
            "heavy_modules_loaded": heavy.get(name, ""),
        }
        for name in commands
    }
    write("cli", f"python -m benchmarks.cli --rounds {rounds}", figures, now)


if __name__ == "__main__":
    main()
