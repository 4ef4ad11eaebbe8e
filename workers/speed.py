"""`python -m workers.speed`: how fast this machine trains a spec, measured in some seconds.

Reads `{"specs": [...], "device": "auto", "threads": 0, "seconds": 5}` from stdin; the last line of stdout is
`{"results": [...]}`, one for each spec: `{"it_s", "validation_s_per_megapixel", "peak_bytes", "device",
"precision", "micro_batch"}`, or `{"error"}`. Real steps of the trainer on made-up pictures; reading pictures
is not in it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from srqueue.spec.job import JobSpec

WARM_UP_STEPS = 20
"""cuDNN and the caches settle; on a slow machine `WARM_UP_SECONDS` end it."""
WARM_UP_SECONDS = 3.0
FEWEST_STEPS = 2
VALIDATED_SIDE = 192  # LR pixels of the picture that validation is timed on


def measure(spec: JobSpec, attempt: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Trains and validates for up to `seconds` on the device of `attempt` (see attempt.json)."""
    import torch

    from workers.trainer.archs import build_network
    from workers.trainer.fingerprint import fingerprint
    from workers.trainer.losses.weighted import WeightedLosses
    from workers.trainer.optim.ema import Ema
    from workers.trainer.resolve import decide, prepare_torch, this_machine
    from workers.trainer.step import Step

    machine = this_machine(spec.compute, attempt)
    compute = decide(spec.compute, machine, spec.datasets.train.batch_size)
    resolved = spec.model_copy(update={"compute": compute})
    prepare_torch(compute)
    torch.manual_seed(spec.manual_seed)  # initial weights
    layout = torch.channels_last if compute.channels_last else torch.contiguous_format
    net = build_network(spec.network_g, spec.scale)
    net = net.to(machine.device, memory_format=layout)  # type: ignore[call-overload]
    losses = WeightedLosses(spec.train.losses).to(machine.device)
    step = Step(net, losses, resolved, machine.device, lambda action: None)
    ema = Ema(net, spec.train.ema_decay)
    train = spec.datasets.train
    lr, hr = (_made_up(train.effective_batch, n, machine.device) for n in (train.lq_size, _hr_side(spec)))
    net.train()
    done = 0

    def steps(most: int, limit: float) -> tuple[int, float]:
        nonlocal done
        begun, count = time.monotonic(), 0
        while count < most and (count < FEWEST_STEPS or time.monotonic() - begun < limit):
            step(lr, hr, spec.train.optim_g.lr * 1e-3)
            done += 1
            ema.update(done)
            count += 1
            if count % 10 == 0 or machine.kind == "cpu":
                _wait(machine.device)
        _wait(machine.device)
        return count, time.monotonic() - begun

    steps(WARM_UP_STEPS, WARM_UP_SECONDS)
    count, spent = steps(sys.maxsize, seconds)
    return {
        "it_s": count / spent,
        "validation_s_per_megapixel": _validation(ema.net, spec.scale, machine.device),
        "peak_bytes": _peak(machine.device),
        "device": str(fingerprint(compute, machine.device)["device"]),
        "precision": compute.precision,
        "micro_batch": step.micro_batch,
    }


def main() -> int:
    """Measures every spec of the request; the exit code is 1 where it is no request."""
    # Before torch is imported: cuBLAS reads it when CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    from pydantic import ValidationError

    from srqueue.spec.job import JobSpec

    try:
        request = json.load(sys.stdin)
        specs = [JobSpec.model_validate(raw) for raw in request["specs"]]
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        print(f"error: this is no request: {error}", file=sys.stderr)
        return 1
    attempt = {"device": request.get("device", "auto"), "threads": request.get("threads", 0)}
    results = [_tried(spec, attempt, float(request.get("seconds", 5))) for spec in specs]
    print(json.dumps({"results": results}), flush=True)
    return 0


def _tried(spec: JobSpec, attempt: dict[str, Any], seconds: float) -> dict[str, Any]:
    try:
        return measure(spec, attempt, seconds)
    except Exception as error:  # one that cannot be trained here must not hide the others
        return {"error": str(error).partition("\n")[0] or type(error).__name__}


def _hr_side(spec: JobSpec) -> int:
    return spec.datasets.train.lq_size * spec.scale


def _made_up(count: int, side: int, device: torch.device) -> Tensor:
    """[count, 3, side, side] in 0..1 that is no constant."""
    import torch

    numbers = torch.arange(count * 3 * side * side, device=device) * 2654435761 % 251
    return (numbers.to(torch.float32) / 250).reshape(count, 3, side, side)


def _validation(net: nn.Module, scale: int, device: torch.device) -> float:
    """Seconds that a megapixel of HR takes to validate; the second of two is counted."""
    from workers.trainer.inference import super_resolve, to_uint8
    from workers.trainer.metrics import compare

    net.eval()
    lr = to_uint8(_made_up(1, VALIDATED_SIDE, device)[0])
    hr = to_uint8(_made_up(1, VALIDATED_SIDE * scale, device)[0])
    spent = 0.0
    for _ in range(2):
        begun = time.monotonic()
        compare(super_resolve(net, lr, scale), hr, scale, grey=False)
        _wait(device)
        spent = time.monotonic() - begun
    return spent / (hr[0].numel() / 1e6)


def _wait(device: torch.device) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak(device: torch.device) -> int:
    """Bytes: of the GPU, or of this process."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    sys.exit(main())
