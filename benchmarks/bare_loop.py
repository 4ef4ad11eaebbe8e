"""The least a training loop can do: what the product's trainer is measured against.

Same network, loss, optimizer, EMA and augmentation as the job; pictures in RAM; no reports, no saves, no
validation, no resume. Run as a process of its own:  python -m benchmarks.bare_loop SPEC.json LISTING.json
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from srqueue.run.listing import Listing
from srqueue.spec.job import JobSpec
from workers.trainer.archs import build_network


def pictures(listing: Listing, scale: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(HR, LR) pairs as uint8 [H, W, 3]."""
    pairs = []
    for p in listing.training():
        hr = np.asarray(Image.open(Path(listing.hr_root) / p.path).convert("RGB"))
        hr = hr[: hr.shape[0] // scale * scale, : hr.shape[1] // scale * scale]
        x = torch.from_numpy(hr.copy()).permute(2, 0, 1)[None].float()
        small = (hr.shape[0] // scale, hr.shape[1] // scale)
        lr = F.interpolate(x, small, mode="bicubic", antialias=True, align_corners=False)
        pairs.append((hr, lr.round().clamp(0, 255).to(torch.uint8)[0].permute(1, 2, 0).numpy()))
    return pairs


def main() -> None:
    """Trains spec.train.total_iter steps and prints the last loss."""
    spec = JobSpec.model_validate_json(Path(sys.argv[1]).read_text())
    listing = Listing.read(Path(sys.argv[2]))
    threads = spec.compute.threads if isinstance(spec.compute.threads, int) else 1
    device = torch.device(sys.argv[3] if len(sys.argv) > 3 else "cpu")
    bf16 = spec.compute.precision == "bf16"
    layout = torch.channels_last if spec.compute.channels_last is True else torch.contiguous_format
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    pairs, s, side = pictures(listing, spec.scale), spec.scale, spec.datasets.train.lq_size
    batch = spec.datasets.train.batch_size
    net = build_network(spec.network_g, spec.scale).to(device, memory_format=layout)
    ema = [p.detach().clone() for p in net.parameters()]
    o = spec.train.optim_g
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=o.lr, weight_decay=o.weight_decay, betas=o.betas, fused=True
    )
    loss = torch.zeros(())
    for _ in range(spec.train.total_iter):
        lq = np.empty((batch, side, side, 3), np.uint8)
        gt = np.empty((batch, side * s, side * s, 3), np.uint8)
        for slot in range(batch):
            hr, lr = pairs[rng.integers(len(pairs))]
            y, x = rng.integers(lr.shape[0] - side + 1), rng.integers(lr.shape[1] - side + 1)
            a, b = lr[y : y + side, x : x + side], hr[y * s : (y + side) * s, x * s : (x + side) * s]
            if rng.random() < 0.5:
                a, b = a[:, ::-1], b[:, ::-1]
            if rng.random() < 0.5:
                a, b = a.transpose(1, 0, 2), b.transpose(1, 0, 2)
            lq[slot], gt[slot] = a, b
        inputs = torch.from_numpy(lq).to(device).permute(0, 3, 1, 2).float().div_(255)
        target = torch.from_numpy(gt).to(device).permute(0, 3, 1, 2).float().div_(255)
        inputs = inputs.contiguous(memory_format=layout)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = F.l1_loss(net(inputs).float(), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if spec.train.ema_decay:
            torch._foreach_lerp_(ema, [p.detach() for p in net.parameters()], 1 - spec.train.ema_decay)
    print(json.dumps({"loss": float(loss)}))


if __name__ == "__main__":
    main()
