"""Pictures that are missing, broken, too small, or others than they were."""

import os
from dataclasses import replace

import pytest
import torch
from PIL import Image

from srqueue.run.listing import Listing
from srqueue.run.reasons import StopReason

SPOILT = {
    "cut": lambda file: os.truncate(file, 500),
    "empty": lambda file: os.truncate(file, 0),
    "removed": lambda file: file.unlink(),
    "another": lambda file: Image.new("RGB", (96, 96)).save(file),
}


@pytest.mark.parametrize("spoil", SPOILT)
def test_one_unreadable_picture_is_named_and_left_out(new_job, own_pictures, spoil):
    job = new_job()
    SPOILT[spoil](own_pictures / "a.png")
    assert job.attempt().reason is StopReason.COMPLETED
    (told,) = [text for text in job.messages() if "a.png" in text]
    assert "left out from here on (1 of 2 training pictures)" in told
    assert "add the data set again" in told
    assert "submit again" in told
    assert job.tensors()[0].state["bad_pictures"] == ["a.png"]


def test_a_run_that_left_a_picture_out_resumes_bit_for_bit_also_when_it_is_back(
    new_job, own_pictures, stop_at
):
    straight, broken = new_job(24, "straight", val__val_freq=6), new_job(24, "broken", val__val_freq=6)
    whole = (own_pictures / "a.png").read_bytes()
    os.truncate(own_pictures / "a.png", 500)
    straight.attempt()
    stop_at(broken, 1, 13, StopReason.PAUSED)
    (own_pictures / "a.png").write_bytes(whole)
    assert broken.resume(2).reason is StopReason.COMPLETED
    (one, expected), (two, found) = straight.tensors(), broken.tensors()
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    assert one.state["bad_pictures"] == two.state["bad_pictures"] == ["a.png"]


def test_too_many_unreadable_pictures_are_data_corrupt(new_job, own_pictures):
    job = new_job()
    os.truncate(own_pictures / "a.png", 500)
    os.truncate(own_pictures / "b.png", 500)
    outcome = job.attempt()
    assert outcome.reason is StopReason.DATA_CORRUPT
    assert "2 of 2 training pictures cannot be read" in outcome.message
    assert "add the data set again" in outcome.message


def test_an_unreadable_validation_picture_is_data_corrupt(new_job, own_pictures):
    job = new_job()
    os.truncate(own_pictures / "held_out.png", 500)
    outcome = job.attempt()
    assert outcome.reason is StopReason.DATA_CORRUPT
    assert "held_out.png" in outcome.message


def test_a_folder_without_any_picture_is_data_missing(new_job, own_pictures):
    """What a disk looks like that is not mounted."""
    job = new_job()
    for file in own_pictures.iterdir():
        file.unlink()
    outcome = job.attempt()
    assert outcome.reason is StopReason.DATA_MISSING
    assert str(own_pictures) in outcome.message


def test_pictures_smaller_than_the_crop_are_left_out_and_counted(new_job, own_pictures):
    job = new_job(2)
    file = own_pictures.parent / "tiny.json"
    listing = Listing.read(file)
    small = tuple(replace(p, width=30) if p.path == "a.png" else p for p in listing.pictures)
    replace(listing, pictures=small).write(file)
    assert job.attempt().reason is StopReason.COMPLETED
    assert job.messages().count("1 picture smaller than the crop is left out") == 1


def test_other_pictures_than_the_specs_are_data_missing(new_job):
    job = new_job()
    listing = Listing.read(job.run.path.parents[1] / "tiny.json")
    replace(listing, identity="0" * 64).write(job.run.path.parents[1] / "tiny.json")
    outcome = job.attempt()
    assert outcome.reason is StopReason.DATA_MISSING
    assert "other pictures" in outcome.message
