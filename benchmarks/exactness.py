"""What does it cost, in it/s, that the same step always gives the same bits?

The trainer's own step on one batch, in processes of their own that alternate: as the trainer sets torch
(deterministic kernels, no autotuning, no TF32), and with all of that let go.
python -m benchmarks.exactness [--device cuda] [--rounds 5]
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

from benchmarks.machine import machine, write

WORK = {
    "compact 32x4, batch 16 x LQ 32": ("compact", {"num_feat": 32, "num_conv": 4}, 16, 32),
    "paragonsr2_nano, batch 4 x LQ 32": ("paragonsr2_nano", {}, 4, 32),
}


def measure(title: str, device: str, exact: bool, seconds: float) -> float:
    """Iterations a second of the trainer's step, after a warm-up."""
    import torch

    from srqueue.spec.expand import DatasetRef, expand
    from workers.trainer.archs import build_network
    from workers.trainer.losses.weighted import WeightedLosses
    from workers.trainer.resolve import prepare_torch, this_machine
    from workers.trainer.step import Step

    arch, network, batch, side = WORK[title]
    changes = {
        "network_g": network,
        "compute": {"device": device, "threads": 1, "precision": "fp32", "channels_last": True},
        "datasets": {"train": {"lq_size": side, "batch_size": batch}},
    }
    spec = expand(
        DatasetRef("none"), preset="tuned", architecture=arch, overrides=[("benchmark", changes)]
    ).spec
    where = this_machine(spec.compute, {"device": device}).device
    prepare_torch(spec.compute)
    if not exact:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.deterministic = False
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    torch.manual_seed(1)
    net = build_network(spec.network_g, spec.scale).to(where, memory_format=torch.channels_last)
    step = Step(net, WeightedLosses(spec.train.losses).to(where), spec, where, lambda action: None)
    lr = torch.rand(batch, 3, side, side).to(where, memory_format=torch.channels_last)
    hr = torch.rand(batch, 3, 2 * side, 2 * side).to(where, memory_format=torch.channels_last)

    def some(count: int) -> float:
        begun = time.perf_counter()
        for _ in range(count):
            values = step(lr, hr, 1e-4)
        values.tolist()  # waits for the device
        return time.perf_counter() - begun

    some(10)
    count = max(10, int(seconds / (some(10) / 10)))
    return count / some(count)


def main() -> None:
    """Writes results/exactness.json (exactness_<device>.json for a GPU)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--child", nargs=2, metavar=("WORK", "HOW"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        title, how = args.child
        print(measure(title, args.device, how == "exact", args.seconds))
        return
    now, figures = machine(), {}
    for title in WORK:
        rates: dict[str, list[float]] = {"exact": [], "let go": []}
        for _ in range(args.rounds):
            for how in rates:
                command = [sys.executable, "-m", "benchmarks.exactness", "--device", args.device]
                command += ["--seconds", str(args.seconds), "--child", title, how]
                env = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
                if how == "exact":
                    env["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
                done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
                rates[how].append(float(done.stdout))
        pairs = zip(rates["exact"], rates["let go"], strict=True)
        figures[title] = {
            "exact_it_per_s": round(statistics.median(rates["exact"]), 1),
            "let_go_it_per_s": round(statistics.median(rates["let go"]), 1),
            "exact_over_let_go_median": round(statistics.median(e / g for e, g in pairs), 3),
        }
        print(title, figures[title], flush=True)
    name = "exactness" if args.device == "cpu" else "exactness_cuda"
    command = f"python -m benchmarks.exactness --device {args.device} --rounds {args.rounds}"
    write(name, command, {"rounds": args.rounds, "work": figures}, now)


if __name__ == "__main__":
    main()
