"""Batches made ahead are those that are made when they are asked for."""

import gc
import threading
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from srqueue.errors import DataError
from srqueue.spec.job import ComputeSpec, TrainSetSpec
from workers.trainer.data.ahead import Ahead
from workers.trainer.data.batches import Batches
from workers.trainer.data.pictures import Pictures
from workers.trainer.data.quarantine import Quarantine
from workers.trainer.data.stages import HFLIP, TRANSPOSE, VFLIP, Stage, turned
from workers.trainer.loading import Loading, decide_loading

CPU = torch.device("cpu")
DEPTHS = [
    Loading(1, 1),
    Loading(4, 1),
    Loading(4, 3),
    Loading(2, 5),
    Loading(4, 3, True),
    Loading(0, 1, True),
]


def stages(count):
    return [Stage(1, 8, 16, pinned=False) for _ in range(count)]


def make(stage, iteration):
    stage.lr[:] = iteration % 251
    return {iteration}


def alive(name="batches-"):
    return [t for t in threading.enumerate() if t.name.startswith(name)]


@pytest.fixture(autouse=True)
def no_thread_is_left(wait_until):
    before = set(alive())
    yield
    gc.collect()
    wait_until(lambda: set(alive()) <= before, "the threads end", 10)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(1, 5), st.integers(1, 4))
def test_whatever_is_asked_for_in_whatever_order_is_what_one_gets(begins, depth, threads):
    """Runs of five from arbitrary places: jumps forth, back, and to the same place again."""
    ahead = Ahead(make, stages(depth + 1), depth, threads)
    try:
        for begin in begins:
            for iteration in range(begin, begin + 5):
                stage, made = ahead.take(iteration, lambda: None)
                assert made == {iteration}
                assert (stage.lr == iteration).all()
                ahead.give(stage)
    finally:
        ahead.close()


def test_no_more_is_made_than_there_is_room_for():
    made = []

    def note(stage, iteration):
        made.append(iteration)
        return {iteration}

    ahead = Ahead(note, stages(4), 3, 2)
    stage, _ = ahead.take(10, lambda: None)
    deadline = time.monotonic() + 10
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert sorted(made) == [10, 11, 12, 13]
    ahead.give(stage)
    ahead.close()


def test_what_cannot_be_made_is_handed_over_when_it_is_its_turn():
    def fail_at_12(stage, iteration):
        if iteration == 12:
            raise ValueError
        return {iteration}

    ahead = Ahead(fail_at_12, stages(5), 4, 2)
    found = []
    for iteration in range(10, 15):
        stage, made = ahead.take(iteration, lambda: None)
        found.append(made)
        ahead.give(stage)
    assert found == [{10}, {11}, None, {13}, {14}]
    assert ahead.take_ready(99) is None
    ahead.close()


def test_the_threads_end_when_nobody_holds_it_any_more():
    ahead = Ahead(make, stages(3), 2, 2)
    stage, _ = ahead.take(0, lambda: None)
    assert len(alive()) >= 2
    del ahead, stage  # the fixture looks whether they end


def noise(seed):
    return np.random.default_rng(seed).integers(0, 256, (70, 66, 3), dtype=np.uint8)


@pytest.fixture
def listing(listed):
    return listed({name: noise(i) for i, name in enumerate("abcdefg")})


def opened(listing, keep_free=None):
    from pathlib import Path

    return Pictures(listing.pictures, Path(listing.hr_root), None, 2, keep_free)


def batches(pictures, loading=None, quarantine=None, **more):
    spec = TrainSetSpec(name="tiny", **{"lq_size": 16, "batch_size": 5, **more})
    return Batches(pictures, spec, 7, CPU, True, quarantine, loading)


@pytest.mark.parametrize("flips", [{}, {"use_hflip": False}, {"use_rot": False}])
@pytest.mark.parametrize("loading", DEPTHS, ids=str)
def test_depth_threads_and_where_crops_are_turned_change_no_bit(listing, loading, flips):
    plain, other = (batches(opened(listing), one, **flips) for one in (None, loading))
    order = [*range(40), *range(5, 12), 99, 98, 97, 97, *range(98, 140)]
    for iteration in order:
        for expected, found in zip(plain[iteration], other[iteration], strict=True):
            assert torch.equal(expected, found)
            assert expected.stride() == found.stride()
    other.close()
    assert torch.equal(plain[3][0], other[3][0]), "it still answers when it is closed"


@given(st.integers(0, 7), st.integers(1, 9), st.integers(0, 99))
def test_turning_by_flags_is_turning_by_slices(flags, side, seed):
    crop = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    expected = crop[:, ::-1] if flags & HFLIP else crop
    expected = expected[::-1] if flags & VFLIP else expected
    expected = expected.transpose(1, 0, 2) if flags & TRANSPOSE else expected
    found = turned(torch.from_numpy(crop)[None], torch.tensor([flags], dtype=torch.uint8))
    assert np.array_equal(found[0].numpy(), expected)


def story(listing, loading, iterations=30):
    """The batches of a run, and what was told of pictures at which iteration."""
    pictures, told, at = opened(listing, 2**62), [], [0]
    quarantine = Quarantine(pictures, [], lambda text: told.append((at[0], text)))
    one, found = batches(pictures, loading, quarantine), []
    try:
        for iteration in range(iterations):
            at[0] = iteration
            found.append(one[iteration])
    except DataError as error:
        told.append((at[0], str(error)))
    finally:
        one.close()
    return found, told


@pytest.mark.parametrize("bad", [["c"], ["c", "f"]], ids=["one", "too many"])
@pytest.mark.parametrize("loading", DEPTHS, ids=str)
def test_a_bad_picture_is_left_out_at_the_same_iteration(listing, tmp_path, loading, bad):
    for name in bad:
        (tmp_path / "hr" / f"{name}.png").write_bytes(b"no picture")
    expected, told = story(listing, None)
    found, told_ahead = story(listing, loading)
    assert told
    assert told == told_ahead
    assert len(found) == len(expected)
    for one, other in zip(expected, found, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_nothing_is_made_ahead_where_all_is_in_memory_beside_a_cpu():
    auto, cuda = ComputeSpec(), torch.device("cuda")
    assert decide_loading(auto, CPU, in_memory=True) == Loading(0, 1, False)
    assert decide_loading(auto, CPU, in_memory=False).depth > 0
    assert decide_loading(auto, cuda, in_memory=True).turn_on_device
    assert decide_loading(auto, cuda, in_memory=True).depth > 0
    asked = ComputeSpec(prefetch=7, loader_threads=3)
    assert decide_loading(asked, CPU, in_memory=True) == Loading(7, 3, False)
