"""Does every kind of training go on exactly, and would a checkpoint that lacks a field be noticed?

Runs `srqueue verify-resume --all`, with `compact` and `tuned`, and `--mutants`, and keeps what they
found. python -m benchmarks.exact_resume [--device cpu]
"""

import argparse
import json
import subprocess
import sys

from benchmarks.machine import machine, write


def verified(device: str, *more: str) -> tuple[list[dict], int]:
    """(what the command printed, its exit code)."""
    argv = [sys.executable, "-m", "srqueue.cli", "verify-resume", "--device", device, "--json", *more]
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=False)
    return json.loads(done.stdout or "[]"), done.returncode


def main() -> int:
    """Writes results/exact_resume.json (exact_resume_cuda.json for a GPU); 0 where all is proven."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    device = parser.parse_args().device
    now = machine()
    varieties, exact = verified(device, "--all", "--kills", "2", "--stops", "2")
    mutants, proven = verified(device, "--mutants")
    figures = {
        "kinds_of_training": len(varieties),
        "identical": sum(v["identical"] for v in varieties),
        "ends_each_after_a_checkpoint": sum(len(v["landed"]) for v in varieties),
        "digests_compared": sum(v["compared"] for v in varieties),
        "by_kind": {v["name"]: {"identical": v["identical"], "ends": len(v["landed"])} for v in varieties},
        "fields_of_a_checkpoint_lost_in_turn": len(mutants),
        "noticed_or_made_again": sum(m["right"] for m in mutants),
        "by_field": {f"{m['mutant']} ({m['scenario']})": list(m["by"])[:2] for m in mutants},
    }
    name = "exact_resume" if device == "cpu" else "exact_resume_cuda"
    write(name, f"python -m benchmarks.exact_resume --device {device}", figures, now)
    return exact or proven


if __name__ == "__main__":
    sys.exit(main())
