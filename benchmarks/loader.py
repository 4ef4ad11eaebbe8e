"""How many crops a second does a core make, from memory, from a crop bank, and by decoding each time?

Batches as a training asks for them (16 crops of 64 LR pixels at x2, mirrored and turned), one thread, the
same iterations for each. `--data` takes the pictures of a folder, else they are CC0 photographs out of
scikit-image. Decoding is measured by kornia's reader and by Pillow alone.

python -m benchmarks.loader [--data FOLDER] [--seconds 5] [--rounds 3]
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

import torch

from benchmarks.machine import machine, write
from srqueue.datasets import Registry, add, add_sample, pack
from srqueue.run.banks import BankDir, find_banks
from srqueue.run.listing import Listing
from srqueue.settings import load_settings
from srqueue.spec.job import TrainSetSpec
from workers.trainer.data.bank import Bank
from workers.trainer.data.batches import Batches
from workers.trainer.data.layout import Layout
from workers.trainer.data.pictures import Pictures

NEVER_KEEP = 1 << 60
"""Bytes of free memory that are asked for before a picture is kept."""

LQ, BATCH, SCALE = 64, 16, 2


def pictures(listing: Listing, keep: bool) -> Pictures:
    """Those that are large enough for the crop."""
    roots = [tuple(map(Path, r)) or None for r in (listing.hr_roots, listing.lr_roots)]
    chosen = listing.training(LQ * SCALE)
    return Pictures(chosen, roots[0] or (), roots[1], SCALE, keep_free=0 if keep else NEVER_KEEP)


def rate(batches: Batches, first: int, seconds: float) -> float:
    """Crops a second of CPU."""
    begun, count = time.process_time(), 0
    while count < 2 or time.process_time() - begun < seconds:
        batches[first + count]
        count += 1
    return count * BATCH / (time.process_time() - begun)


def main() -> None:
    """Writes results/loader.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder of pictures")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    now = machine()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"SRQUEUE_HOME": folder, "SRQUEUE_DATASETS": str(Path(folder) / "datasets.yaml")}
        settings = load_settings()
        name = "pictures" if args.data else "sample"
        add(settings, name, args.data) if args.data else add_sample(settings)
        begun = time.monotonic()
        packed = pack(settings, name, SCALE)
        packing = time.monotonic() - begun
        listing = Listing.read(Registry(settings).listing_file(name))
        ((bank, note),) = find_banks(settings.bank_root)
        ways = {
            "from memory": pictures(listing, keep=True),
            "from the bank": pictures(listing, keep=False),
            "decoding by kornia": pictures(listing, keep=False),
            "decoding by Pillow": pictures(listing, keep=False),
        }
        places = {p.path: place for place, p in enumerate(listing.pictures)}
        ways["from the bank"].use_bank(Bank(BankDir(bank.path), Layout(listing, SCALE)), places)
        for index in range(len(ways["from memory"])):
            ways["from memory"][index]  # decoded before it is timed
        spec = TrainSetSpec(name=name, lq_size=LQ, batch_size=BATCH)
        rates: dict[str, list[float]] = {}
        for round_number in range(args.rounds):
            for way, chosen in ways.items():
                batches = Batches(chosen, spec, 1, torch.device("cpu"), channels_last=True)
                with (
                    patch("workers.trainer.data.decode.decode_swiftly", return_value=None)
                    if (way == "decoding by Pillow")
                    else patch.dict(os.environ)
                ):
                    found = rate(batches, round_number * 1000, args.seconds)
                rates.setdefault(way, []).append(found)
        sides = [max(p.width, p.height) for p in listing.pictures]
        figures = {
            "pictures": {"count": len(sides), "median_longer_side": statistics.median(sides)},
            "bank": {
                "megabytes": round(note.bytes / 1e6, 1),
                "packed_in_s": round(packing, 2),
                "pictures": packed["packed"],
            },
            "crops_a_second_a_core": {way: round(statistics.median(r)) for way, r in rates.items()},
            "range": {way: [round(min(r)), round(max(r))] for way, r in rates.items()},
        }
    data = " --data FOLDER" if args.data else ""
    write(
        "loader",
        f"python -m benchmarks.loader{data} --seconds {args.seconds:g} --rounds {args.rounds}",
        figures,
        now,
    )


if __name__ == "__main__":
    main()
