"""Times as a user types them."""

from datetime import datetime

import pytest

from srqueue.cli.moments import check_period, moment
from srqueue.errors import UsageError

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("12h", 43200), ("2d", 172800), ("1.5h", 5400), (" 10 s ", 10), ("1h30m", 5400)],
)
def test_so_long_ago(text, seconds):
    assert moment(text, NOW, "--since") == NOW - seconds


def test_a_date_is_of_this_machines_zone():
    assert moment("2026-03-01", NOW, "") == datetime(2026, 3, 1).timestamp()
    assert moment("2026-03-01 14:30", NOW, "") == datetime(2026, 3, 1, 14, 30).timestamp()
    assert moment("2026-03-01T14:30+00:00", NOW, "") == 1772375400.0


def test_nothing_is_nothing():
    assert moment(None, NOW, "") is None


@pytest.mark.parametrize("text", ["soon", "", "-3h", "3", "12 parsecs", "2026-13-01"])
def test_what_is_no_time_is_told(text):
    with pytest.raises(UsageError, match="is no time") as error:
        moment(text, NOW, "--until")
    assert error.value.where == "--until"


def test_until_a_day_is_until_its_end():
    assert moment("2026-03-01", NOW, "--until", last=True) == datetime(2026, 3, 2).timestamp()
    assert moment("2026-03-01 14:30", NOW, "--until", last=True) == datetime(2026, 3, 1, 14, 30).timestamp()


def test_a_period_that_ends_before_it_begins_is_refused():
    check_period(None, 1.0)
    check_period(1.0, 1.0)
    with pytest.raises(UsageError, match="behind"):
        check_period(2.0, 1.0)
