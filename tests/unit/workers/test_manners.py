"""Manners of a worker: batteries, applications in front, windows, and that a moment does not count."""

from collections import namedtuple
from datetime import datetime

import psutil
import pytest

from srqueue.errors import UsageError
from srqueue.settings import load_settings
from srqueue.spec.windows import parse_windows
from workers import foreground, manners, yielding
from workers.foreground import Foreground
from workers.power_limit import power_limit
from workers.steady import Steady

Battery = namedtuple("Battery", "percent secsleft power_plugged")


class Clock:
    """A card's driver: who was busy, who computes, and its power limit."""

    name = "a card"

    def __init__(self, busy=None, computing=(), limit=300.0, refuses=None):
        self.busy, self.pids, self.limit, self.refuses = busy, list(computing), limit, refuses

    def busy_processes(self, since):
        return self.busy

    def computing_pids(self):
        return self.pids

    def power_limit(self):
        return self.limit

    def limit_power(self, watts):
        if self.refuses is None:
            self.limit = watts
        return self.refuses


def test_what_lasts_for_a_moment_does_not_count():
    steady, seen = Steady(after=10, back=60), []
    for second in range(0, 200, 5):
        found = "on battery" if 20 <= second < 25 or 40 <= second < 90 else None
        seen.append((second, steady.see(found, float(second))))
    assert [s for s, text in seen if text] == list(range(50, 150, 5))


def test_a_word_that_changes_while_it_holds_is_told():
    steady = Steady(after=0, back=10)
    assert [steady.see(text, at) for at, text in enumerate(["blender", "obs", None])] == [
        "blender",
        "obs",
        "obs",
    ]


@pytest.mark.parametrize(
    ("battery", "told"),
    [
        (None, None),
        (Battery(80, 1, True), None),
        (Battery(80, 1, None), None),
        (Battery(80, 1, False), "on battery"),
    ],
)
def test_a_battery_is_what_the_driver_says(monkeypatch, battery, told):
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    assert manners.on_battery() == told


@pytest.mark.parametrize(
    ("card", "told"),
    [
        (Clock(busy={7: 40}), "the GPU is used by blender"),
        (Clock(busy={7: 3, 8: 90}), None),  # a little, and one that is to be ignored
        (Clock(busy={9: 90}), None),  # one of ours
        (Clock(busy={}, computing=[7]), None),  # it is there and idle
        (Clock(busy=None, computing=[7, 9]), "the GPU is used by blender"),
    ],
)
def test_applications_in_front(monkeypatch, card, told):
    monkeypatch.setattr(foreground, "find_card", lambda uuid: card)
    monkeypatch.setattr(foreground, "name_of", {7: "blender", 8: "Xorg", 9: None}.get)
    assert Foreground(["GPU-1"], ["xorg"]).look() == told


def test_our_own_processes_are_no_users():
    import subprocess
    import sys

    argv = [sys.executable, "-c", "import time; time.sleep(60)"]
    ours, users = subprocess.Popen([*argv, "workers.trainer"]), subprocess.Popen(argv)
    try:
        assert foreground.name_of(ours.pid) is None and foreground.name_of(users.pid).startswith("python")
    finally:
        for process in (ours, users):
            process.kill()
            process.wait()
    assert foreground.name_of(users.pid) is None


def test_outside_its_window_a_worker_says_until_when():
    night = parse_windows("22:00-07:00")
    assert manners.closed(night, datetime(2026, 11, 29, 23)) is None
    assert manners.closed(night, datetime(2026, 11, 29, 12)) == "outside its window until 22:00"
    sundays = parse_windows("Sun 0:00-24:00")
    assert manners.closed(sundays, datetime(2026, 11, 30, 12)) == "outside its window until Sun 00:00"
    assert manners.closed((), datetime(2026, 11, 30, 12)) is None


def test_what_was_said_is_seen_and_taken_back():
    yielding.say("the GPU is used by " + "ü" * 300)
    assert yielding.why().startswith("the GPU is used by üü")
    yielding.say(None)
    assert yielding.why() is None


def test_settings_of_manners(environment, valkey, monkeypatch):
    settings = environment(valkey, YIELD="battery, foreground", YIELD_IGNORE="a b, c")
    assert settings.yields == {"battery", "foreground"} and settings.ignored == ("a b", "c")
    monkeypatch.setenv("SRQUEUE_YIELD", "batery")
    with pytest.raises(UsageError, match=r"SRQUEUE_YIELD: .*did you mean 'battery'"):
        load_settings()
    monkeypatch.setenv("SRQUEUE_YIELD", "off")
    monkeypatch.setenv("SRQUEUE_WINDOW", "22-7")
    with pytest.raises(UsageError, match=r"SRQUEUE_WINDOW: .*write 22:00-07:00"):
        load_settings()


def test_a_power_limit_is_given_back(monkeypatch):
    card = Clock()
    monkeypatch.setattr("workers.power_limit.find_card", lambda uuid: card)
    with power_limit(["GPU-1"], 200.0) as notes:
        assert card.limit == 200.0 and notes == ("a card draws 200 W at most while this job trains",)
    assert card.limit == 300.0


def test_without_permission_a_power_limit_is_a_note(monkeypatch):
    monkeypatch.setattr(
        "workers.power_limit.find_card", lambda uuid: Clock(refuses="Insufficient Permissions")
    )
    with power_limit(["GPU-1"], 200.0) as notes:
        assert notes == ("the power of a card was not limited to 200 W: Insufficient Permissions",)
    with power_limit([], 200.0) as notes:
        assert notes == ("there is no GPU here whose power could be limited",)
    with power_limit(["GPU-1"], 200.0, slots=2) as notes:
        assert notes == ("the power of this GPU is not limited for one job: several share it",)
    with power_limit([], None) as notes:
        assert notes == ()
