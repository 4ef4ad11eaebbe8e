"""Open time, against a walk along the clock."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srqueue.forecast.open_time import FAR, OpenTime, after_open
from srqueue.spec.windows import Window, is_open, parse_windows

STEP = 600
HOUR = 3600.0
# The nights in which clocks change, one that is no change, and a place where it is half an hour.
NIGHTS = [
    ("America/New_York", 2026, 3, 7),
    ("America/New_York", 2026, 10, 31),
    ("Europe/Berlin", 2026, 3, 28),
    ("Europe/Berlin", 2026, 11, 29),
    ("Australia/Lord_Howe", 2026, 4, 4),
]


@pytest.fixture
def at(local_time):
    """UTC s of a moment of a place, whose clock is then this machine's."""

    def moment(place, *when):
        local_time(place)
        return datetime(*when).timestamp()

    return moment


steps = st.integers(0, 144).map(lambda n: n * STEP)
window = st.builds(
    Window,
    begin=steps.filter(lambda s: s < 86400),
    end=steps,
    days=st.sets(st.integers(0, 6), max_size=5).map(sorted),
).filter(lambda w: w.begin != w.end)


@pytest.mark.parametrize("night", NIGHTS, ids=lambda night: f"{night[0]} {night[2]}-{night[3]}")
def test_it_is_what_one_counts_who_walks_along_the_clock(night, at):
    since = at(*night)

    @settings(max_examples=6, deadline=None)
    @given(
        st.lists(st.lists(window, min_size=1, max_size=3), min_size=1, max_size=2),
        st.integers(0, 30),
        st.integers(0, 120),
    )
    def walked(sets, first, wanted):
        def is_so(step):
            now = datetime.fromtimestamp(since + step * STEP).astimezone()
            return all(is_open(windows, now) for windows in sets)

        open_steps = [step for step in range(3 * 144) if is_so(step)]
        found, begin = OpenTime(sets, since), first * STEP
        later = [step for step in open_steps if step >= first]
        assert found.spent(begin) == STEP * (len(open_steps) - len(later))
        if later:
            assert found.opens(begin) == later[0] * STEP
        if wanted and wanted <= len(later):
            assert found.after(begin, wanted * STEP) == (later[wanted - 1] + 1) * STEP
            assert found.after(begin, wanted * STEP - 1) == (later[wanted - 1] + 1) * STEP - 1
        assert found.after(begin, 0) == begin
        closed = [step for step in range(first, 3 * 144) if step not in set(open_steps)]
        if closed:
            assert found.closes(begin) == closed[0] * STEP

    walked()


def test_hours_at_night_are_spent_on_as_many_nights_as_it_takes(at):
    evening = at("Europe/Berlin", 2026, 11, 27, 20)
    night = parse_windows("22:00-07:00")
    assert after_open(night, evening, 9 * HOUR) == evening + 11 * HOUR
    assert after_open(night, evening, 9 * HOUR + 1) == evening + 26 * HOUR + 1
    assert after_open((), evening, 5) == evening + 5


def test_what_is_never_open_together_never_ends_and_what_lies_far_is_as_usual(at):
    since = at("UTC", 2026, 1, 5)
    never = OpenTime([parse_windows("Sat 1:00-2:00"), parse_windows("Sun 1:00-2:00")], since)
    assert never.after(0, 1) == never.opens(0) == float("inf") and never.spent(1e9) == 0
    half = OpenTime([parse_windows("0:00-12:00")], since)
    assert half.after(0, FAR) == 2 * FAR and half.spent(2 * FAR) == FAR
    assert OpenTime([(), ()], since).always
