"""On-the-fly degradations: each against an independent reference, and all without memory."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import kstest

from srqueue.spec.degradations import BlurSpec, DegradationsSpec, JpegSpec, NoiseSpec, ResizeSpec
from workers.trainer.data.degrade import Degradations, blur, normal, resize_there_and_back
from workers.trainer.data.resize import bicubic
from workers.trainer.sampling import noise_words, uniforms

EVERYTHING = DegradationsSpec(
    before=(BlurSpec(probability=0.7), ResizeSpec(probability=0.5), NoiseSpec(probability=0.6)),
    after=(JpegSpec(probability=0.8), NoiseSpec(probability=0.5, grey=True), BlurSpec(probability=0.3)),
)


@pytest.fixture
def crops(photo):
    """Eight crops: LR [8, 3, 32, 32] and HR [8, 3, 64, 64] in 0..1, of 8-bit levels."""
    x = torch.from_numpy(photo).permute(2, 0, 1).float()
    hr = torch.stack([x[:, i : i + 64, i : i + 64] for i in range(8)])
    lr = bicubic(hr, (32, 32)).round().clamp(0, 255)
    return lr / 255, hr / 255


def degraded(crops, iteration=3, seed=5, **steps):
    return Degradations(DegradationsSpec(**steps), seed)(*crops, iteration)


def test_nothing_is_done_where_nothing_is_asked(crops):
    assert not Degradations(DegradationsSpec(), 1)
    assert Degradations(EVERYTHING, 1)


def test_a_batch_depends_on_seed_and_iteration_only(crops):
    one, other = Degradations(EVERYTHING, 5), Degradations(EVERYTHING, 5)
    straight = [one(*crops, i) for i in range(12)]
    for i in (11, 0, 7, 7, 3):
        assert torch.equal(other(*crops, i), straight[i])
    assert not torch.equal(straight[0], straight[1])
    assert not torch.equal(Degradations(EVERYTHING, 6)(*crops, 0), straight[0])


def test_a_slot_does_not_depend_on_the_others(crops):
    """So neither the batch size nor what is drawn for its neighbours changes a crop."""
    whole = Degradations(EVERYTHING, 5)(*crops, 4)
    three = Degradations(EVERYTHING, 5)(crops[0][:3], crops[1][:3], 4)
    assert torch.allclose(three, whole[:3], atol=1.01 / 255)  # a sum in another order may round otherwise
    assert (three == whole[:3]).float().mean() > 0.999


def test_a_longer_before_changes_nothing_of_after(crops):
    noise = NoiseSpec(sigma=(5, 5))
    plain = degraded(crops, after=[noise]) - degraded(crops, after=[])
    more = [BlurSpec(probability=1e-9), BlurSpec(probability=1e-9)]
    longer = degraded(crops, before=more, after=[noise]) - degraded(crops, before=more)
    inner = (slice(None), slice(None), slice(3, -3), slice(3, -3))
    assert (plain[inner] - longer[inner]).abs().max() < 2.5 / 255


def test_the_result_is_8_bit_levels_in_the_layout_of_the_batch(crops):
    for layout in (torch.contiguous_format, torch.channels_last):
        lr, hr = (x.contiguous(memory_format=layout) for x in crops)
        y = Degradations(EVERYTHING, 5)(lr, hr, 0)
        assert y.is_contiguous(memory_format=layout)
        assert torch.equal(y, torch.round(y * 255) / 255)
        assert (y.dtype, y.shape, bool(y.min() >= 0), bool(y.max() <= 1)) == (
            torch.float32,
            lr.shape,
            True,
            True,
        )


def test_neither_the_target_nor_the_batch_that_was_given_is_changed(crops):
    lr, hr = (x.clone() for x in crops)
    Degradations(EVERYTHING, 5)(lr, hr, 0)
    assert torch.equal(lr, crops[0]) and torch.equal(hr, crops[1])


def test_before_makes_lr_anew_from_hr(crops):
    """A step that is as good as never done: LR is bicubic of the HR crop, whatever LR was given."""
    y = Degradations(DegradationsSpec(before=(BlurSpec(probability=1e-9),)), 5)(crops[0] * 0, crops[1], 0)
    for made, hr in zip(y, crops[1], strict=True):
        reference = Image.fromarray((hr * 255).round().byte().permute(1, 2, 0).numpy())
        small = np.asarray(reference.resize((32, 32), Image.Resampling.BICUBIC)).astype(int)
        assert np.abs(small - (made * 255).round().permute(1, 2, 0).numpy()).max() <= 1


@pytest.mark.parametrize("sigma", [0.2, 0.7, 1.5, 4.0])
def test_blur_is_scipys(crops, sigma):
    x = crops[1] * 255
    sigmas = np.array([sigma, *[1.0] * 7], np.float32)
    reference = gaussian_filter(x[0].double().numpy(), (0, sigma, sigma), mode="nearest", truncate=8)
    assert np.abs(blur(x, sigmas, 4.0)[0].numpy() - reference).max() < 0.05


def test_a_blur_wider_than_the_crop_is_possible(crops):
    y = degraded(crops, after=[BlurSpec(sigma=(10, 10))])
    assert y.std() < crops[0].std()


def test_resize_there_and_back_is_pillows(crops):
    x = crops[1] * 255
    factors = np.array([0.1, 0.3, 0.5, 0.77, 1.0, 1.5, 2.0, 4.0], np.float32)
    y = resize_there_and_back(x, factors)
    for index, factor in enumerate(factors):
        side = round(64 * float(factor))
        for channel in range(3):
            plane = Image.fromarray(x[index, channel].numpy())  # mode F: no rounding in between
            back = plane.resize((side, side), Image.Resampling.BICUBIC).resize(
                (64, 64), Image.Resampling.BICUBIC
            )
            assert np.abs(np.asarray(back) - y[index, channel].numpy()).max() < 0.02


@pytest.mark.parametrize("grey", [False, True])
def test_noise_is_normal_of_the_asked_deviation(grey):
    middle = torch.full((40, 3, 32, 32), 128 / 255)
    y = degraded((middle, middle), after=[NoiseSpec(sigma=(20, 20), grey=grey)])
    noise = ((y - middle) * 255).numpy()
    first = noise[:, 0].ravel()
    assert abs(first.mean()) < 0.5  # of 40,960 values: five standard errors
    assert first.std() == pytest.approx(20, rel=0.02)
    assert np.corrcoef(noise[:, 0].ravel(), noise[:, 1].ravel())[0, 1] == pytest.approx(float(grey), abs=0.03)
    assert np.corrcoef(noise[:, 0, :, 1:].ravel(), noise[:, 0, :, :-1].ravel())[0, 1] == pytest.approx(
        0, abs=0.03
    )
    assert np.corrcoef(noise[0, 0].ravel(), noise[1, 0].ravel())[0, 1] == pytest.approx(0, abs=0.15)


def test_the_normal_numbers_are_normal_out_to_their_tails():
    words = np.stack([noise_words(1, i, 0, 0, 20_000) for i in range(10)]).view(np.int32)
    z = normal(torch.from_numpy(words)).numpy().ravel().astype(np.float64)
    assert kstest(z, "norm").pvalue > 1e-3
    assert np.mean(np.abs(z) > 3) == pytest.approx(0.0027, rel=0.2)
    extremes = torch.tensor([[0, 0, 0xFFFFFF, 0xFFFFFF, -1, -1]], dtype=torch.int32)
    assert torch.isfinite(normal(extremes)).all()
    assert normal(extremes).abs().max() == pytest.approx(math.sqrt(48 * math.log(2)), rel=1e-4)


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_the_probability_is_kept(probability):
    lr = torch.full((50, 3, 8, 8), 128 / 255)
    degrade = Degradations(DegradationsSpec(after=(NoiseSpec(sigma=(40, 40), probability=probability),)), 2)
    touched = torch.cat([(degrade(lr, lr, i) != lr).flatten(1).any(1) for i in range(20)])
    assert touched.float().mean() == pytest.approx(probability, abs=0.06)  # of 1,000: four standard errors


def test_values_come_evenly_from_their_range():
    """Measured on the noise itself: its deviation is drawn between 5 and 25."""
    lr = torch.full((100, 3, 24, 24), 128 / 255)
    y = degraded((lr, lr), after=[NoiseSpec(sigma=(5, 25))])
    sigmas = ((y - lr) * 255).flatten(1).std(1).numpy()
    assert (sigmas.min() > 4.6, sigmas.max() < 26.5) == (True, True)
    assert kstest((sigmas - 5) / 20, "uniform").pvalue > 1e-3


def test_jpeg_qualities_are_whole_and_both_ends_come(crops, monkeypatch):
    seen = []
    import workers.trainer.data.degrade as module

    real = module.jpeg
    monkeypatch.setattr(module, "jpeg", lambda x, quality: seen.extend(quality.tolist()) or real(x, quality))
    degrade = Degradations(DegradationsSpec(after=(JpegSpec(quality=(40, 43)),)), 2)
    for i in range(12):
        degrade(*crops, i)
    assert set(seen) == {40.0, 41.0, 42.0, 43.0}


def test_steps_draw_numbers_of_their_own():
    numbers = [uniforms(9, 4, step, 6) for step in range(4)]
    assert len({n.tobytes() for n in numbers}) == 4
    assert uniforms(9, 4, 2, 3).tolist() == numbers[2][:3].tolist(), "whatever the batch"
