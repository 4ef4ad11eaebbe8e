"""python -m workers.torch_device WANTED: what torch sees here; exit code 1 where WANTED is not there."""

from __future__ import annotations

import sys

import torch


def main(wanted: str) -> None:
    """Prints torch's version and its GPUs. `wanted`: auto, cpu, cuda or cuda:<n>."""
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if wanted.startswith("cuda") and int(wanted.partition(":")[2] or 0) >= len(gpus):
        sys.exit(f"SRQUEUE_DEVICE is {wanted}, but torch {torch.__version__} sees {len(gpus)} CUDA devices")
    print(f"torch {torch.__version__}, {', '.join(gpus) or 'CPU'}")


if __name__ == "__main__":
    main(sys.argv[1])
