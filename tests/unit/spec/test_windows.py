"""Windows: a user's words in, whether it is open, and when it opens."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.errors import SpecError
from srqueue.spec.windows import Window, is_open, opens, parse_window, parse_windows

HOUR = 3600
SUNDAY = datetime(2026, 11, 29)
NIGHT = parse_windows("22:00-07:00")


def at(hour, minute=0, days=0):
    return (SUNDAY + timedelta(days=days)).replace(hour=hour, minute=minute)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("22:00-07:00", Window(begin=22 * HOUR, end=7 * HOUR)),
        ("9:30 - 17:00", Window(begin=9 * HOUR + 1800, end=17 * HOUR)),
        ("Sat,Sun 0:00-24:00", Window(begin=0, end=24 * HOUR, days=(5, 6))),
        ("Mon-Fri 20:00-06:00", Window(begin=20 * HOUR, end=6 * HOUR, days=(0, 1, 2, 3, 4))),
        ("9:30:05-17:00", Window(begin=9 * HOUR + 1805, end=17 * HOUR)),
        ("Fri-Mon 20:00-06:00", Window(begin=20 * HOUR, end=6 * HOUR, days=(0, 4, 5, 6))),
    ],
)
def test_a_users_words(text, window):
    assert parse_window(text) == window


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("22-7", "is no window"),
        ("22:00-25:00", "25:00 is no time of day"),
        ("07:00-07:00", "all day is 0:00-24:00"),
        ("24:00-07:00", "at the latest"),
        ("Son 22:00-07:00", "did you mean 'sun'"),
    ],
)
def test_what_is_wrong(text, told):
    with pytest.raises(SpecError) as error:
        parse_window(text)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("now", "is_so", "next_one"),
    [
        (at(21, 59), False, at(22)),
        (at(22), True, at(22)),
        (at(3), True, at(3)),
        (at(7), False, at(22)),
    ],
)
def test_over_midnight(now, is_so, next_one):
    assert is_open(NIGHT, now) is is_so and opens(NIGHT, now) == next_one


def test_a_window_of_some_days_lasts_into_the_next_one():
    friday = parse_windows("Fri 20:00-06:00")
    assert is_open(friday, at(5, days=6)) and not is_open(friday, at(5, days=5))
    assert opens(friday, at(12)) == at(20, days=5)


def test_several_are_open_where_one_is():
    both = parse_windows("Sat,Sun 10:00-12:00, 22:00-23:00")
    assert is_open(both, at(11)) and is_open(both, at(22, 30)) and not is_open(both, at(21))
    assert is_open((), at(12))


made = st.builds(
    Window,
    begin=st.integers(0, 24 * HOUR - 1),
    end=st.integers(0, 24 * HOUR),
    days=st.sets(st.integers(0, 6)).map(sorted),
).filter(lambda w: w.begin != w.end)


@given(made)
def test_what_is_printed_is_read_as_the_same(window):
    assert parse_window(str(window)) == window


@given(st.lists(made, min_size=1, max_size=3), st.datetimes(datetime(2026, 1, 5), datetime(2026, 1, 20)))
def test_it_is_closed_until_it_opens(windows, now):
    then = opens(windows, now)
    assert is_open(windows, then) and now <= then <= now + timedelta(days=8)
    if then > now:
        middle = now + (then - now) / 2
        assert not is_open(windows, middle) and opens(windows, middle) == then
