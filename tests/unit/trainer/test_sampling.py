"""Which crop goes where: frozen numbers, bijections, and no memory."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workers.trainer.sampling import draw, instead, noise_words, permute, place, uniforms

GOLDEN_UNIFORMS = [
    [0.7571938649937017, 0.08532931588296266, 0.3816506786229179, 0.4312181897757379],
    [0.45917089943927525, 0.9609061024495625, 0.8676049728194896, 0.46671080296296885],
]
GOLDEN_NOISE = [3152053693, 2355424897, 486471815, 3740272889, 1588614230]
SEEDS = st.integers(0, 2**63 - 1)


def test_the_numbers_of_a_seed_never_change():
    """Golden vectors: if this fails, every resumed run of an older version would go on differently."""
    drawn = draw(1024, 0, 3, 4, 10)
    assert drawn.picture.tolist() == [[1, 4, 5, 2], [9, 7, 8, 3], [0, 6, 6, 1]]
    assert drawn.top[0].tolist() == [3490148451, 3698179961, 1958385966, 651389917]
    assert drawn.left[2].tolist() == [2587183457, 2391713373, 1184075016, 3905667892]
    assert drawn.hflip[1].tolist() == [True, True, False, True]
    assert drawn.vflip[1].tolist() == [False, True, True, False]
    assert drawn.transpose[0].tolist() == [False, False, False, True]
    order = permute(np.arange(12), 12, 7, np.zeros(12, dtype=np.int64))
    assert order.tolist() == [1, 9, 3, 7, 0, 8, 11, 2, 5, 4, 10, 6]


@given(n=st.integers(1, 700), seed=SEEDS, epoch=st.integers(0, 2**40))
def test_each_epoch_is_a_permutation(n, seed, epoch):
    order = permute(np.arange(n), n, seed, np.full(n, epoch))
    assert sorted(order.tolist()) == list(range(n))


@given(seed=SEEDS, first=st.integers(0, 10**9), batch=st.integers(1, 9), pictures=st.integers(1, 50))
def test_a_sample_depends_on_seed_iteration_and_slot_only(seed, first, batch, pictures):
    """Drawn in a block or alone: the same."""
    block = draw(seed, first, 5, batch, pictures)
    alone = draw(seed, first + 3, 1, batch, pictures)
    for name in ("picture", "top", "left", "hflip", "vflip", "transpose"):
        assert np.array_equal(getattr(block, name)[3], getattr(alone, name)[0]), name


def test_crops_do_not_depend_on_the_batch_size():
    few, many = draw(5, 7, 1, 2, 30), draw(5, 7, 1, 8, 30)
    assert few.top[0].tolist() == many.top[0, :2].tolist()


def test_every_picture_comes_once_an_epoch_across_iterations():
    drawn = draw(3, 0, 7, 6, 21)  # 42 samples: two epochs
    order = drawn.picture.reshape(-1)
    assert sorted(order[:21]) == sorted(order[21:]) == list(range(21))
    assert order[:21].tolist() != order[21:].tolist()


@given(word=st.integers(0, 2**32 - 1), positions=st.integers(1, 2**20))
def test_a_place_is_inside(word, positions):
    assert 0 <= place(word, positions) < positions


def test_places_and_flips_are_even():
    drawn = draw(11, 0, 500, 16, 100)
    counts = np.bincount([place(w, 8) for w in drawn.top.reshape(-1).tolist()], minlength=8)
    assert counts.min() > 850  # of 8,000 in 8 places; five standard deviations below 1,000
    assert counts.max() < 1150
    for flags in (drawn.hflip, drawn.vflip, drawn.transpose):
        assert abs(flags.mean() - 0.5) < 0.03


def test_two_seeds_train_on_different_samples():
    one, two = draw(1, 0, 4, 8, 100), draw(2, 0, 4, 8, 100)
    assert (one.picture != two.picture).mean() > 0.9
    assert (one.top != two.top).all()


@given(st.integers(0, 2**63 - 1), st.integers(2, 60), st.integers(0, 10_000), st.data())
def test_a_bad_picture_is_replaced_by_the_next_of_its_epochs_permutation(seed, n, position, data):
    bad = data.draw(st.sets(st.integers(0, n - 1), max_size=n - 1))
    epoch, index = divmod(position, n)
    order = permute(np.arange(n), n, seed, np.full(n, epoch)).tolist()
    behind = order[index:] + order[:index]
    assert instead(seed, position, n, bad) == next(picture for picture in behind if picture not in bad)


def test_where_all_pictures_are_bad_there_is_none_instead():
    assert instead(1, 5, 3, {0, 1, 2}) is None


def test_the_numbers_of_degradations_never_change():
    """Golden vectors: if this fails, resumed runs of an older version would be degraded otherwise."""
    drawn = uniforms(1024, 7, 2, 2)
    assert drawn.tolist() == GOLDEN_UNIFORMS
    assert noise_words(1024, 7, 2, 1, 5).tolist() == GOLDEN_NOISE
    assert noise_words(1024, 7, 2, 1, 3).tolist() == GOLDEN_NOISE[:3]


@given(seed=SEEDS, iteration=st.integers(0, 2**40), step=st.integers(0, 2000), slot=st.integers(0, 4000))
def test_the_streams_have_nothing_in_common(seed, iteration, step, slot):
    own = uniforms(seed, iteration, step, 3)
    assert (own >= 0).all() and (own < 1).all()
    noise = noise_words(seed, iteration, step, slot, 8)
    samples = draw(seed, iteration, 1, 3, 5)
    assert not set(noise.tolist()) & set(samples.top[0].tolist())
    assert not np.array_equal(noise, noise_words(seed, iteration, step, slot + 1, 8))
    assert not np.array_equal(noise, noise_words(seed, iteration + 1, step, slot, 8))
