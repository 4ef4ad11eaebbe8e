"""Where a run begins, pictures validated on that are nearly trained on are told once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from srqueue.run.listing import Listing, thumbnails_file
from srqueue.run.reasons import StopReason
from workers.thumbnails import thumbnail_of, write_thumbnails
from workers.trainer.attempt import run_attempt
from workers.trainer.stopping import StopRequest


def _keep_thumbnails(file: Path) -> None:
    listing = Listing.read(file)
    made = {p.sha256: thumbnail_of(Image.open(Path(listing.hr_root, p.path))) for p in listing.pictures}
    write_thumbnails(thumbnails_file(file), made)


def _told(job, token=1):
    return [text for text in job.messages(token) if "nearly the same" in text]


def test_a_validation_picture_nearly_trained_on_is_told_once_by_both_names(new_job, own_pictures):
    with Image.open(own_pictures / "a.png") as picture:
        Image.fromarray(np.asarray(picture) // 2 + 30).save(own_pictures / "held_out.png")
    job = new_job(4)
    assert job.attempt().reason is StopReason.COMPLETED
    assert _told(job) == [], "no thumbnails are kept: nothing is compared"

    _keep_thumbnails(Path(job.listing_file))
    job = new_job(4, "again")
    job.attempt()
    [told] = _told(job)
    assert told.startswith(
        "1 of 1 pictures validated on are nearly the same as one trained on: "
        "held_out.png (trained on as a.png); "
    )
    [event] = [e for e in job.events("message") if e["data"]["text"] == told]
    assert event["data"]["level"] == "warning"
    job.resume(2)
    assert _told(job, 2) == []


def test_different_pictures_are_nothing_to_tell_of(new_job):
    job = new_job(2)
    _keep_thumbnails(Path(job.listing_file))
    job.attempt()
    assert _told(job) == []


def test_another_validation_set_is_compared_by_its_own_thumbnails(new_job, own_pictures, tmp_path):
    job = new_job(2, datasets__val={"name": "other", "identity": None})
    file = Path(job.listing_file)
    listing = Listing.read(file)
    other = tuple(replace(p, held_out=False) for p in listing.pictures if p.path == "a.png")
    replace(listing, name="other", pictures=other).write(tmp_path / "other.json")
    _keep_thumbnails(file)
    _keep_thumbnails(tmp_path / "other.json")
    job.run.write_attempt(
        1, None, listings={"train": str(file), "val": str(tmp_path / "other.json")}, device="cpu", threads=1
    )
    run_attempt(job.run, job.run.attempt(1), StopRequest())
    [told] = _told(job)
    assert "a.png (trained on as a.png)" in told
