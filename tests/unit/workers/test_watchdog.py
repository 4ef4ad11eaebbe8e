"""The clock rules of the watchdog, and what the heart writes for it."""

import errno
import os

import pytest

from workers.trainer import heart
from workers.trainer.heart import ITERATIONS, UNKNOWN, Heart
from workers.watchdog import MOST_A_LOOK, Watchdog


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def looks(dog, clock, seconds, each=1.0):
    """Looks every `each` seconds; after how many it first found the trainer hung, or None."""
    begun = clock.now
    while clock.now < begun + seconds:
        clock.now += each
        if dog.hung():
            return clock.now - begun
    return None


def test_a_silent_trainer_is_hung_after_what_it_said_is_usual(tmp_path, clock):
    file = tmp_path / "beat"
    dog = Watchdog(file, 10, clock)
    file.write_text("1 20.0\n")
    assert looks(dog, clock, 20) is None
    assert looks(dog, clock, 20) == pytest.approx(2, abs=1)
    file.write_text("2 20.0\n")
    assert not dog.hung() and dog.silent == 0


def test_before_its_first_beat_it_may_take_longer(tmp_path, clock):
    dog = Watchdog(tmp_path / "beat", 10, clock)
    assert looks(dog, clock, 10 * UNKNOWN) is None
    assert looks(dog, clock, 10) is not None


def test_time_in_which_nobody_looked_does_not_count(tmp_path, clock):
    file = tmp_path / "beat"
    file.write_text("1 60.0\n")
    dog = Watchdog(file, 60, clock)
    dog.hung()
    clock.now += 3600  # the supervisor was stopped, or the machine slept
    assert not dog.hung()
    assert dog.silent == MOST_A_LOOK


def test_a_folder_that_cannot_be_read_is_no_beat_and_no_error(tmp_path, clock):
    dog = Watchdog(tmp_path / "gone" / "beat", 1, clock)
    assert looks(dog, clock, UNKNOWN + 5) is not None


@pytest.mark.parametrize("torn", ["", "2", "2 x", "\0\0\0"])
def test_a_torn_beat_is_a_beat_and_leaves_what_is_usual(tmp_path, clock, torn):
    file = tmp_path / "beat"
    file.write_text("1 20.0\n")
    dog = Watchdog(file, 10, clock)
    dog.hung()
    assert looks(dog, clock, 15) is None
    file.write_text(torn)
    assert looks(dog, clock, 20) is None
    assert looks(dog, clock, 5) is not None


def test_where_the_disk_is_full_its_beats_are_seen_all_the_same(tmp_path, clock, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    own_clock = Clock()
    monkeypatch.setattr(heart.time, "monotonic", own_clock)
    own = Heart(tmp_path / "beat", 1.0)
    dog = Watchdog(tmp_path / "beat", 1.0, clock)
    monkeypatch.setattr(os, "pwrite", full)
    os.utime(tmp_path / "beat", (1, 1))
    for _ in range(3 * UNKNOWN):
        own_clock.now += 2
        own.beat()
        clock.now += 2
        assert not dog.hung()
        os.utime(tmp_path / "beat", (1, 1))  # so that the coarse time of the file system plays no part
        dog.hung()
    assert looks(dog, clock, UNKNOWN + 5) is not None


@pytest.fixture
def beats(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(heart.time, "monotonic", clock)
    file = tmp_path / "beat"
    return Heart(file, 100.0), clock, lambda: file.read_text().split()


def test_it_beats_at_most_once_a_second(beats):
    own, clock, read = beats
    for _ in range(50):
        clock.now += 0.1
        own.beat()
    assert read()[0] == "5"


def test_what_may_take_long_is_told_at_once(beats):
    own, clock, read = beats
    for _ in range(10):
        own.beat(stepped=True)
        clock.now += 1.1
    own.beat(stepped=True)
    assert float(read()[1]) == 100.0
    own.beat()  # a save in the same second
    assert float(read()[1]) == 100 * UNKNOWN
    told = read()[0]
    for _ in range(50):
        clock.now += 0.01
        own.beat()
    assert read()[0] == told


def test_what_is_usual_grows_with_slow_iterations(beats):
    own, clock, read = beats
    for _ in range(3):
        own.beat(stepped=True)
        clock.now += 30
    assert float(read()[1]) == 100 * UNKNOWN  # nothing is known yet
    for _ in range(10):
        own.beat(stepped=True)
        clock.now += 30
    assert float(read()[1]) == ITERATIONS * 30
    for _ in range(200):
        own.beat(stepped=True)
        clock.now += 0.5
    own.beat(stepped=True)
    assert float(read()[1]) == 100.0


def test_a_pause_between_iterations_is_no_slow_iteration(beats):
    own, clock, read = beats
    for _ in range(100):
        for _ in range(4):
            own.beat(stepped=True)
            clock.now += 1
        own.beat()  # a validation
        clock.now += 500
    own.beat(stepped=True)
    assert float(read()[1]) == 100.0
