"""A campaign as a user has it: a matrix, a dependent stage, two workers of which one is killed, a report."""

import csv
import hashlib
import itertools
import json
import math
import re
import statistics
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import yaml
from PIL import Image

import srqueue
from srqueue.datasets import DatasetEntry, Registry
from srqueue.run.folder import RunDir
from srqueue.run.listing import Listing, Picture, identity_of
from srqueue.run.reasons import JobState
from srqueue.store.store import Store

FILE = {
    "base": {
        "datasets.train": {"lq_size": 16, "batch_size": 2}, "train.total_iter": 30, "val.val_freq": 15,
        "train.warmup_iter": 0, "preflight": False, "train.training_automations.enabled": False,
        "train.dynamic_loss_scheduling.enabled": False, "logger.save_checkpoint_seconds": 1,
        "compute": {"device": "cpu", "precision": "fp32", "channels_last": False, "threads": 1},
    },
    "overrides": [
        {"when": {"arch": "compact"}, "set": {"network_g": {"num_feat": 8, "num_conv": 1}}},
        {"when": {"arch": "span"}, "set": {"network_g": {"num_feat": 8, "num_block": 2}}},
    ],
    "stages": {
        "grid": {
            "matrix": {
                "preset": ["convenience", "fidelity"], "dataset": ["one", "two"],
                "arch": ["compact", "span"], "seed": [1, 2],
            },
        },
        "longer": {
            "base": {"preset": "fidelity", "arch": "compact", "train.total_iter": 45},
            "matrix": {"dataset": ["one", "two"], "seed": [1, 2]}, "start_from": "grid",
        },
    },
    "max_parallel": 4,
}  # fmt: skip


def register(settings, folder, name, left):
    """Six crops of a photograph, of which three are for validation."""
    from skimage import data

    photo, root = data.astronaut(), folder / name
    root.mkdir()
    found = []
    for i in range(6):
        file = root / f"{i}.png"
        Image.fromarray(photo[64 * i : 64 * i + 64, left : left + 64]).save(file)
        stat, digest = file.stat(), hashlib.sha256(file.read_bytes()).hexdigest()
        found.append(Picture(file.name, 64, 64, stat.st_size, stat.st_mtime_ns, digest, held_out=i > 2))
    identity, registry = identity_of(tuple(found), None), Registry(settings)
    listing = Listing(name, identity, str(root), None, None, tuple(found), {})
    listing.write(registry.listing_file(name))
    entry = DatasetEntry(name, str(root), identity, pictures=6, held_out=3, min_width=64, min_height=64)
    registry.put(entry)


def cli(*words):
    argv = [sys.executable, "-m", "srqueue.cli", *map(str, words)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stdout + done.stderr
    return done.stdout


def just_begun(store, worker):
    """The job that a worker has claimed within the last second."""
    running = [job for job in store.list([JobState.RUNNING]) if (job.worker or "").startswith(worker)]
    return next((job.id for job in running if time.time() - (job.claimed or 0.0) < 1), None)


def status():
    return srqueue.Campaign.from_file("night.yaml").status()


@pytest.mark.timeout(400)
def test_a_campaign_on_two_workers_of_which_one_is_killed_is_reported_to_the_last_digit(
    environment, valkey, tmp_path, start_worker, wait_until, monkeypatch
):
    settings = environment(valkey, WARM="true")
    store = Store.connect(settings)
    monkeypatch.chdir(tmp_path)
    register(settings, tmp_path, "one", 100)
    register(settings, tmp_path, "two", 220)
    (tmp_path / "night.yaml").write_text(yaml.safe_dump(FILE))
    assert "20 of 20 cells queued" in cli("campaign", "submit", "night.yaml")

    doomed = start_worker("w1")
    start_worker("w2")
    wait_until(lambda: status()["jobs"]["succeeded"] >= 2, "some ran", 120)
    lost = wait_until(lambda: just_begun(store, "w1"), "the one that will be killed has begun a job", 120)
    for process in psutil.Process(doomed.process.pid).children(recursive=True):
        process.kill()
    doomed.kill_main()
    start_worker("w3")
    told = srqueue.Campaign.from_file("night.yaml").wait(240)
    assert told["jobs"] == {**dict.fromkeys(told["jobs"], 0), "succeeded": 20}

    printed = cli("campaign", "show", "night")
    assert printed.count("leaderboard on") == 2
    assert "srqueue" not in cli(
        "campaign",
        "report",
        "night",
        "--json",
        "v.json",
        "--csv",
        "v.csv",
        "--markdown",
        "v.md",
        "--out",
        "v.html",
    )
    verdict = json.loads((tmp_path / "v.json").read_text())
    files = {c["job"]: figures_of(settings, c["job"]) for c in verdict["cells"]}
    assert len(files) == 20
    # The first attempt may have ended before it had a folder.
    assert RunDir(settings.runs_root / lost).attempts()[-1].token > 1, "it was taken over"
    for cell in verdict["cells"]:
        check_cell(cell, files[cell["job"]])
    with (tmp_path / "v.csv").open() as file:
        lines = {row["job"]: row for row in csv.DictReader(file)}
    assert {j: float(row["psnr"]) for j, row in lines.items()} == {
        j: told["metrics"]["best/psnr"] for j, told in files.items()
    }
    html, markdown = (
        re.sub(r"\\(.)", r"\1", (tmp_path / f"v.{kind}").read_text()) for kind in ("html", "md")
    )
    assert [len(board["groups"]) for board in verdict["boards"]] == [5, 5]
    for board in verdict["boards"]:
        for group in board["groups"]:
            check_group(group, files)
            assert (
                f"{group['psnr']:.3f}" in html
                and f"{group['psnr']:.3f}" in markdown
                and group["group"] in html
            )
            assert f"{group['psnr']:.3f}" in printed
        assert [g["psnr"] for g in board["groups"]] == sorted(
            (g["psnr"] for g in board["groups"]), reverse=True
        )
        check_comparisons(board, files)
    assert verdict["boards"][0]["validated_on"] != verdict["boards"][1]["validated_on"]

    model, card = cli("campaign", "export", "night", "best").split()
    winner = verdict["boards"][0]["groups"][0]["best_job"]
    (own,) = (settings.runs_root / winner / "export").glob("*.safetensors")
    assert (tmp_path / model).read_bytes() == own.read_bytes()
    assert json.loads((tmp_path / card).read_text())["psnr"] == files[winner]["metrics"]["best/psnr"]


def figures_of(settings, job):
    return json.loads((settings.runs_root / job / "export" / "metrics.json").read_text())


def check_cell(cell, file):
    """A row against the job's own file."""
    metrics = file["metrics"]
    assert cell["state"] == "succeeded"
    assert {key: cell[key] for key in ("psnr", "ssim", "bicubic_psnr", "seconds", "parameters")} == {
        "psnr": metrics["best/psnr"], "ssim": metrics["best/ssim"], "bicubic_psnr": metrics["bicubic/psnr"],
        "seconds": metrics["seconds"], "parameters": file["parameters"],
    }  # fmt: skip
    assert cell["gain"] == metrics["best/psnr"] - metrics["bicubic/psnr"]
    assert cell["ms_per_megapixel"] == file["inference"]["ms_per_megapixel"]
    assert [p["name"] for p in file["pictures"]] == ["3.png", "4.png", "5.png"]
    assert float(np.mean([p["psnr_y"] for p in file["pictures"]])) == metrics["best/psnr"]
    assert cell["iterations"] == (45 if cell["stage"] == "longer" else 30)


def check_group(group, files):
    """Mean and spread over its two seeds."""
    values = [files[job]["metrics"]["best/psnr"] for job in group["jobs"]]
    assert (group["seeds"], group["psnr"], group["sd"]) == (
        2,
        statistics.fmean(values),
        statistics.stdev(values),
    )
    assert group["best_psnr"] == max(values) == files[group["best_job"]]["metrics"]["best/psnr"]


def check_comparisons(board, files):
    """Each pair once more out of the files, with every choice of signs."""
    jobs = {group["group"]: group["jobs"] for group in board["groups"]}
    assert len(board["comparisons"]) == len(jobs) * (len(jobs) - 1) // 2
    for pair in board["comparisons"]:
        tables = [
            [[p["psnr_y"] for p in files[job]["pictures"]] for job in jobs[pair[which]]]
            for which in ("better", "other")
        ]
        one, two = ([statistics.fmean(picture) for picture in zip(*table, strict=True)] for table in tables)
        differences = [a - b for a, b in zip(one, two, strict=True)]
        assert pair["difference"] == math.fsum(differences) / 3 and pair["pictures"] == 3
        sums = [abs(np.dot(signs, differences)) for signs in itertools.product((1, -1), repeat=3)]
        assert pair["p"] == sum(s >= abs(sum(differences)) - 1e-9 for s in sums) / 8
        assert pair["claim"] == "noise", "three pictures are too few to tell, and that is said"
        assert "3 pictures are too few" in pair["why"] or "do not agree" in pair["why"]
