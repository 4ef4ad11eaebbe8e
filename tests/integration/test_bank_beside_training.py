"""A bank that is built beside real trainers: told of, shared, ended with them, killed while it writes."""

import json
import os
import random
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
from PIL import Image

from srqueue.run.banks import find_banks, is_in_use
from srqueue.run.events import read_events
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.spec.job import JobSpec, spec_id

NOTED_ONE_BY_ONE = """
import sys, time
from workers.data_tools import packer
packer._SECONDS = 0.0
note = packer.Packer._note
packer.Packer._note = lambda self, waiting: (time.sleep(0.03), note(self, waiting))
from workers.data_tools.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def trainers(tmp_path):
    """Starts trainers of their own with a place for banks; ends them all."""
    started = []

    def start(job, folder):
        listings = {"train": job.listing_file, "val": job.listing_file}
        bank = {"folder": str(folder), "quota": 0, "ram": 0.5}
        job.run.write_attempt(1, None, listings=listings, device="cpu", threads=1, bank=bank)
        argv = [sys.executable, "-m", "workers.trainer", str(job.run.path), "--token", "1"]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def says(job, words):
    """The messages that hold `words`, as far as the trainer has got: the last line may not be whole yet."""
    events = [event for event, _ in read_events(job.run.attempt(1).events_file)]
    return [e.data["text"] for e in events if e.kind == "message" and words in e.data["text"]]


def children(process):
    try:
        return psutil.Process(process.pid).children()
    except psutil.NoSuchProcess:
        return []


def complete(root):
    return [bank for bank, note in find_banks(root) if bank.done(note.pictures) == note.pictures]


def test_two_jobs_build_one_bank_beside_their_trainings_and_tell_of_it(
    new_job, trainers, tmp_path, wait_until
):
    root = tmp_path / "bank"
    jobs = [new_job(10**6, name, compute__bank=True, val__val_enabled=False) for name in ("one", "two")]
    processes = [trainers(job, root) for job in jobs]
    for job in jobs:
        (begun,) = wait_until(lambda job=job: says(job, "is built beside the training"), "it begins")
        assert "compute.bank asks for it" in begun
        wait_until(lambda job=job: says(job, "is complete"), "the bank is complete", 60)
    (bank,) = complete(root)
    assert is_in_use(bank)
    for job, process in zip(jobs, processes, strict=True):
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert Outcome.read(job.run.attempt(1).outcome_file).reason is StopReason.PAUSED
        told = [e["data"] for e in job.events("resource")]
        assert {(t["bank"], t["done"], t["total"]) for t in told[-1:]} == {("tiny", 3, 3)}
    assert not is_in_use(bank)


def test_a_builder_ends_with_its_trainer(new_job, trainers, tmp_path, wait_until):
    job = new_job(10**6, compute__bank=True, val__val_enabled=False)
    process = trainers(job, tmp_path / "bank")
    (builder,) = wait_until(lambda: children(process), "the builder starts")
    process.send_signal(signal.SIGKILL)
    wait_until(lambda: not builder.is_running() or builder.status() == psutil.STATUS_ZOMBIE, "it ends", 20)


@pytest.fixture
def many_pictures(own_pictures):
    dice = np.random.default_rng(1)
    for number in range(25):
        pixels = dice.integers(0, 256, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(own_pictures / f"more{number}.png")


def test_a_builder_that_is_killed_while_it_writes_loses_nothing_that_was_noted(
    many_pictures, new_job, tmp_path, wait_until
):
    job, dice = new_job(10), random.Random(5)

    def packing(folder):
        request = json.dumps({"listing": job.listing_file, "scale": 2, "folder": str(folder), "quota": 0})
        argv = [sys.executable, "-c", NOTED_ONE_BY_ONE, "pack", "--json", request]
        return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def noted(folder):
        return sum(bank.done(note.pictures) for bank, note in find_banks(folder))

    assert packing(tmp_path / "whole").wait(60) == 0
    killed, reached, kills = tmp_path / "killed", 0, 0
    for _ in range(6):
        builder, goal = packing(killed), reached + dice.randint(1, 5)
        wait_until(lambda b=builder, g=goal: b.poll() is not None or noted(killed) >= g, "it gets on")
        builder.kill()
        builder.wait()
        now = noted(killed)
        assert now >= reached
        kills += reached < now < 28
        reached = now
    assert kills, "at least one kill landed between two pictures"
    assert packing(killed).wait(60) == 0
    (one,), (other,) = complete(tmp_path / "whole"), complete(killed)
    for file in ("pixels", "table"):
        assert (one.path / file).read_bytes() == (other.path / file).read_bytes()


@pytest.mark.parametrize(
    "way", [{"prefetch": 4, "loader_threads": 3}, {"prefetch": 1, "bank": True}], ids=str
)
def test_a_picture_that_cannot_be_read_is_left_out_alike_however_far_batches_are_made_ahead(
    new_job, own_pictures, way
):
    plain = new_job(20, "plain")
    ahead = new_job(20, "ahead", **{f"compute__{key}": value for key, value in way.items()})
    os.truncate(own_pictures / "a.png", 500)
    for job in (plain, ahead):
        assert job.attempt().reason is StopReason.COMPLETED
    assert ahead.differing(plain) == []
    assert ahead.tensors()[0].state["bad_pictures"] == ["a.png"]
    left = [[(e["it"], e["data"]["text"]) for e in j.events("message") if "left out" in e["data"]["text"]]
            for j in (plain, ahead)]  # fmt: skip
    assert left[0] == left[1] != []


def test_a_run_that_goes_on_with_another_loader_is_the_unbroken_run(new_job, stop_at):
    straight, broken = new_job(24, "straight", val__val_freq=6), new_job(24, "broken", val__val_freq=6)
    straight.attempt()
    for token, iteration in enumerate((5, 13), 1):
        stop_at(broken, token, iteration, StopReason.PAUSED)
        for file in (broken.run.spec_file, broken.run.resolved_file):
            raw = json.loads(file.read_text())
            raw["compute"] |= {"prefetch": 3 * token, "loader_threads": token}
            file.write_text(json.dumps(raw))
    assert broken.resume(3).reason is StopReason.COMPLETED
    assert broken.differing(straight) == []
    assert broken.events("fingerprint", 3) == []


def test_how_pictures_come_to_the_device_is_no_part_of_a_specs_id(tiny_spec):
    plain = tiny_spec(None, 10)
    raw = json.loads(plain.model_dump_json())
    raw["compute"] |= {"bank": True, "prefetch": 4, "loader_threads": 2}
    assert spec_id(JobSpec.model_validate(raw)) == spec_id(plain)
    alone = {**raw, "compute": {"prefetch": 4}}
    assert spec_id(JobSpec.model_validate(alone)) == spec_id(JobSpec.model_validate({**raw, "compute": {}}))
