"""Where the pixels come from changes no bit of what is trained; a bank is built beside it, and shared."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from srqueue.run.banks import BankDir, find_banks
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from workers.trainer.attempt import run_attempt
from workers.trainer.stopping import StopRequest

WAYS = {
    "from memory": ({}, {}),
    "from a bank": ({"bank": True}, {}),
    "decoded again and again": ({"bank": False}, {"ram": 0.0}),
    "from a bank, one batch ahead": ({"bank": True, "prefetch": 1}, {}),
    "decoded four batches ahead by three threads": (
        {"bank": False, "prefetch": 4, "loader_threads": 3},
        {"ram": 0.0},
    ),
}


def attempt(job, token, folder, resume=None, **place):
    """As Job.attempt, with a place for banks."""
    listings = {"train": job.listing_file, "val": job.listing_file}
    bank = {"folder": str(folder), "quota": 0, "ram": 0.5, **place}
    made = job.run.write_attempt(token, resume, listings=listings, device="cpu", threads=1, bank=bank)
    run_attempt(job.run, made, StopRequest())
    return Outcome.read(made.outcome_file)


@pytest.fixture
def plain(new_job):
    job = new_job(30, "plain")
    assert job.attempt().reason is StopReason.COMPLETED
    return job


@pytest.mark.parametrize("way", WAYS)
def test_wherever_pictures_come_from_the_bits_are_the_same(plain, new_job, tmp_path, way):
    compute, place = WAYS[way]
    job = new_job(30, "other", **{f"compute__{key}": value for key, value in compute.items()})
    outcome = attempt(job, 1, tmp_path / "bank", **place)
    assert outcome.reason is StopReason.COMPLETED
    assert job.differing(plain) == []


def test_a_folder_that_cannot_be_written_is_said_and_decoding_goes_on(plain, new_job):
    job = new_job(30, "other", compute__bank=True)
    assert attempt(job, 1, "/proc/nowhere").reason is StopReason.COMPLETED
    assert ["no crop bank" in text for text in job.messages()].count(True) == 1
    assert job.differing(plain) == []


def packed(listing, folder):
    """Packs a whole bank in a process of its own."""
    request = {"listing": listing, "scale": 2, "folder": str(folder), "quota": 0}
    argv = [sys.executable, "-m", "workers.data_tools", "pack", "--json", json.dumps(request)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def test_a_bank_that_is_complete_needs_no_picture_any_more(plain, new_job, tmp_path, own_pictures):
    job = new_job(30, "other", compute__bank=True)
    assert packed(job.listing_file, tmp_path / "bank").wait(60) == 0
    for picture in own_pictures.iterdir():
        picture.write_bytes(b"gone")
    assert attempt(job, 1, tmp_path / "bank").reason is StopReason.COMPLETED
    assert job.differing(plain) == []
    assert any("are read from their crop bank" in text for text in job.messages())


def test_a_builder_that_is_killed_again_and_again_leaves_the_bank_of_one_that_was_not(new_job, tmp_path):
    job, dice = new_job(10), random.Random(3)
    undisturbed = packed(job.listing_file, tmp_path / "one")
    assert undisturbed.wait(60) == 0
    killed = 0
    for _ in range(12):
        builder = packed(job.listing_file, tmp_path / "two")
        time.sleep(dice.uniform(0.2, 1.2))
        if builder.poll() is None:
            os.kill(builder.pid, signal.SIGKILL)
            killed += 1
        builder.wait(60)
    assert killed
    assert packed(job.listing_file, tmp_path / "two").wait(60) == 0
    (first,), (second,) = (find_banks(tmp_path / name) for name in ("one", "two"))
    for file in ("pixels", "table"):
        assert (first[0].path / file).read_bytes() == (second[0].path / file).read_bytes()


def test_two_builders_at_once_make_one_bank(new_job, tmp_path):
    job = new_job(10)
    both = [packed(job.listing_file, tmp_path / "bank") for _ in range(2)]
    answers = [json.loads(one.communicate(timeout=60)[0].splitlines()[-1])["result"] for one in both]
    assert answers[0]["path"] == answers[1]["path"]
    ((bank, note),) = find_banks(tmp_path / "bank")
    assert bank.done(note.pictures) == note.pictures
    assert {one["packed"] for one in answers} == {note.pictures}


def test_the_command_line_packs_shows_and_frees(typed, tmp_path, own_pictures):
    typed = typed(tmp_path)
    typed("dataset", "add", "tiny", "--hr", own_pictures)
    told = typed("dataset", "pack", "tiny")
    assert "tiny" in told.stdout
    assert "x2 0.2 MB" in typed("dataset", "show", "tiny").stdout
    assert "x2 0.2 MB" in typed("dataset", "ls").stdout
    (found,) = json.loads(typed("dataset", "show", "tiny", "--json").stdout)["banks"]
    assert Path(found["path"]).is_dir() and found["done"] == found["pictures"]
    assert "freed 0.0 MB" in typed("dataset", "gc").stdout  # a complete one of a registered set stays
    assert Path(found["path"]).is_dir()
    typed("dataset", "rm", "tiny")
    assert "not registered" in typed("dataset", "gc", "--dry-run").stdout
    assert Path(found["path"]).is_dir()
    typed("dataset", "gc")
    assert not Path(found["path"]).exists()
    assert "no data set" in typed("dataset", "pack", "tiny", code=2).stderr


def test_a_quota_that_is_too_small_is_said_and_decoding_goes_on(plain, new_job, tmp_path):
    job = new_job(30, "other", compute__bank=True)
    assert attempt(job, 1, tmp_path / "bank", quota=1000).reason is StopReason.COMPLETED
    (warning,) = [text for text in job.messages() if "no crop bank" in text]
    assert "SRQUEUE_BANK_QUOTA is" in warning
    assert job.differing(plain) == []


def test_a_damaged_bank_is_decoded_around(plain, new_job, tmp_path):
    job = new_job(30, "other", compute__bank=True)
    assert packed(job.listing_file, tmp_path / "bank").wait(60) == 0
    ((bank, _),) = find_banks(tmp_path / "bank")
    assert isinstance(bank, BankDir)
    pixels = bytearray(bank.pixels_file.read_bytes())
    pixels[::5000] = bytes(255 - b for b in pixels[::5000])
    bank.pixels_file.write_bytes(pixels)
    assert attempt(job, 1, tmp_path / "bank").reason is StopReason.COMPLETED
    assert job.differing(plain) == []
