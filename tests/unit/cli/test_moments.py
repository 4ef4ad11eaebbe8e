"""Times as a user types them."""

from datetime import datetime

import pytest

from srqueue.cli.moments import moment
from srqueue.errors import UsageError

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"), [("30m", 1800), ("12h", 43200), ("2d", 172800), ("1.5h", 5400), (" 10 s ", 10)]
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
