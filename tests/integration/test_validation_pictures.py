"""The crops that a run leaves at each validation."""

import errno
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from srqueue.run.pictures import Pictures, picture_file, read_pictures, write_pictures
from srqueue.run.reasons import StopReason
from workers.trainer import gallery
from workers.trainer.archs import build_network
from workers.trainer.data.resize import resize_picture
from workers.trainer.inference import super_resolve
from workers.trainer.resolve import read_spec


def pixels(job, what, crop=0):
    with Image.open(picture_file(job.run, crop, str(what))) as picture:
        return np.array(picture)


def names(job):
    return sorted(file.name for file in (job.run.pictures / "0").iterdir())


def test_each_validation_leaves_the_crop_as_the_network_sees_it_then(new_job, own_pictures):
    job = new_job(40, val__val_freq=20)
    job.attempt()

    found = read_pictures(job.run)
    assert found.iterations == (20, 40)
    (crop,) = found.crops
    assert (crop.name, crop.top, crop.left, crop.height, crop.width) == ("held_out.png", 0, 0, 96, 96)

    with Image.open(own_pictures / "held_out.png") as file:
        original = np.array(file.convert("RGB"))
    lr = resize_picture(original, (48, 48))
    assert np.array_equal(pixels(job, "original"), original)
    assert np.array_equal(pixels(job, "bicubic"), resize_picture(lr, (96, 96)))

    spec = read_spec(job.run.spec_file)
    net = build_network(spec.network_g, spec.scale)
    tensors = job.tensors()[1]
    net.load_state_dict({k.removeprefix("ema/"): t for k, t in tensors.items() if k.startswith("ema/")})
    sr = super_resolve(net.eval(), torch.from_numpy(lr).permute(2, 0, 1), spec.scale).permute(1, 2, 0)
    # Last digits may differ from the trainer's memory layout.
    assert np.abs(pixels(job, 40).astype(int) - sr.numpy()).max() <= 1
    assert not np.array_equal(pixels(job, 20), pixels(job, 40))


def test_what_is_trained_again_is_drawn_again(new_job):
    job = new_job(40, val__val_freq=10)
    job.attempt()
    before = pixels(job, 30)
    assert read_pictures(job.run).iterations == (10, 20, 30, 40)
    picture_file(job.run, 0, "30").write_bytes(b"")
    of_20 = next(name for name in job.run.checkpoint_names() if name.iteration == 20)

    stopped = job.attempt(2, of_20, stop=_after(job, 30))

    assert stopped.reason is StopReason.PAUSED
    assert read_pictures(job.run).iterations == (10, 20, 30)
    assert names(job) == ["bicubic.png", "it10.png", "it20.png", "it30.png", "original.png"]
    assert np.array_equal(pixels(job, 30), before)
    job.resume(3)
    assert read_pictures(job.run).iterations == (10, 20, 30, 40)


def _after(job, iteration):
    """A request to stop that is heeded once the pictures of `iteration` are there and no later ones."""

    class Request:
        @property
        def reason(self):
            found = read_pictures(job.run)
            return StopReason.PAUSED if found and found.iterations[-1] == iteration else None

        def ask(self, reason):
            raise AssertionError(reason)

    return Request()


def test_a_picture_that_a_power_failure_emptied_is_listed_no_more(new_job, stop_at):
    job = new_job(40, val__val_freq=10)
    stop_at(job, 1, 35, StopReason.PAUSED)
    picture_file(job.run, 0, "20").write_bytes(b"")
    picture_file(job.run, 0, "bicubic").write_bytes(b"")
    job.resume(2)
    # What never changes is not there as a whole: all of it is begun anew.
    assert pixels(job, "bicubic").shape == (96, 96, 3)
    assert read_pictures(job.run).iterations == (10, 30, 40)


def test_a_run_without_validation_has_no_pictures(new_job):
    job = new_job(20, val__val_enabled=False)
    job.attempt()
    assert not job.run.pictures.exists()
    assert read_pictures(job.run) is None


@pytest.mark.parametrize("refusal", [errno.ENOSPC, errno.EACCES])
def test_pictures_that_cannot_be_written_change_nothing_else(new_job, monkeypatch, refusal):
    undisturbed = new_job(20, name="undisturbed", val__val_freq=5)
    undisturbed.attempt()
    job = new_job(20, val__val_freq=5)
    real = gallery.write_file

    def write_file(path, data, durable):
        if len(refused) < 2:
            refused.append(path)
            raise OSError(refusal, "refused")
        real(path, data, durable)

    refused = []
    monkeypatch.setattr(gallery, "write_file", write_file)
    assert job.attempt().reason is StopReason.COMPLETED
    assert job.differing(undisturbed) == []
    told = [text for text in job.messages() if "validation pictures" in text]
    assert len(told) == (0 if refusal == errno.ENOSPC else 1)
    # Once there is room they are written, what never changes included.
    assert read_pictures(job.run).iterations == (15, 20)
    assert pixels(job, "bicubic").shape == (96, 96, 3)


def test_pictures_of_another_version_are_begun_anew(new_job):
    job = new_job(10, val__val_freq=5)
    job.run.pictures.mkdir()
    (job.run.pictures / "pictures.json").write_text('{"v": 2}')
    job.attempt()
    assert read_pictures(job.run).iterations == (5, 10)


def test_a_long_run_keeps_few_of_them_on_a_logarithmic_axis():
    kept = ()
    for iteration in range(500, 80_001, 500):
        kept = gallery.thinned([*kept, iteration])
    assert len(kept) == gallery.KEPT
    assert (kept[0], kept[-1]) == (500, 80_000)
    ratios = [b / a for a, b in pairwise(kept)]
    assert max(ratios[:-1]) <= 2


def test_the_list_survives_a_round_trip(new_job):
    job = new_job(10, val__val_freq=5)
    job.attempt()
    found = read_pictures(job.run)
    write_pictures(job.run, found)
    assert read_pictures(job.run) == found == Pictures(found.crops, (5, 10))
