"""`python -m workers.speed`: how fast this machine trains a spec, measured in some seconds.

Reads `{"specs": [...], "device": "auto", "threads": 0, "seconds": 5}` from stdin; the last line of stdout is
`{"results": [...]}`, one for each spec: `{"it_s", "validation_s_per_megapixel", "peak_bytes", "device",
"cuda", "precision", "micro_batch"}`, or `{"error"}`. Real steps of the trainer on made-up pictures; reading
pictures is not in it.
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
    from torch import nn

    from srqueue.spec.job import JobSpec

WARM_UP_STEPS = 20
"""cuDNN and the caches settle; on a slow machine `WARM_UP_SECONDS` end it."""
WARM_UP_SECONDS = 3.0
FEWEST_STEPS = 2
VALIDATED_SIDE = 192  # LR pixels of the picture that validation is timed on


def measure(spec: JobSpec, attempt: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Trains and validates for up to `seconds` on the device of `attempt` (see attempt.json)."""
    from workers.trainer.fingerprint import fingerprint
    from workers.trainer.resolve import decide, prepare_torch, this_machine
    from workers.trainer.trial import Trial

    machine = this_machine(spec.compute, attempt)
    compute = decide(spec.compute, machine, spec.datasets.train.batch_size)
    prepare_torch(compute)
    trial = Trial(spec.model_copy(update={"compute": compute}), machine.device)
    trial.steps(WARM_UP_STEPS, WARM_UP_SECONDS, FEWEST_STEPS)
    count, spent = trial.steps(sys.maxsize, seconds, FEWEST_STEPS)
    return {
        "it_s": count / spent,
        "validation_s_per_megapixel": _validation(trial.ema.net, spec.scale, machine.device),
        "peak_bytes": _peak(machine.device),
        "device": str(fingerprint(compute, machine.device)["device"]),
        "cuda": machine.device.type == "cuda",
        "precision": compute.precision,
        "micro_batch": trial.step.micro_batch,
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


def _validation(net: nn.Module, scale: int, device: torch.device) -> float:
    """Seconds that a megapixel of HR takes to validate; the second of two is counted."""
    from workers.trainer.inference import super_resolve, to_uint8
    from workers.trainer.metrics import compare
    from workers.trainer.trial import made_up, wait_for

    net.eval()
    lr = to_uint8(made_up(1, VALIDATED_SIDE, device)[0])
    hr = to_uint8(made_up(1, VALIDATED_SIDE * scale, device)[0])
    spent = 0.0
    for _ in range(2):
        begun = time.monotonic()
        compare(super_resolve(net, lr, scale), hr, scale, grey=False)
        wait_for(device)
        spent = time.monotonic() - begun
    return spent / (hr[0].numel() / 1e6)


def _peak(device: torch.device) -> int:
    """Bytes: of the GPU, or of this process."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    sys.exit(main())
