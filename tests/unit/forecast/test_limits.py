"""How far a training goes by the clock."""

from datetime import UTC, datetime

from srqueue.forecast.limits import Limits
from srqueue.spec.stopping import parse_rules
from srqueue.spec.windows import parse_windows

EVENING = datetime(2026, 1, 5, 20, tzinfo=UTC)
HOUR = 3600.0


def test_until_a_moment_only_open_time_is_trained(local_time):
    local_time("UTC")
    rules, now = parse_rules("2026-01-07 00:00+00:00, 30h"), EVENING.timestamp()
    assert Limits.of(rules).left(4 * HOUR, now) == 26 * HOUR
    assert Limits.of(rules).left(0.0, now) == 28 * HOUR
    night = Limits.of(rules, None, [parse_windows("22:00-07:00"), ()])
    assert night.left(0.0, now) == 11 * HOUR  # a night, and from 22:00 until midnight
    assert night.left(0.0, now + 30 * HOUR) == 0.0 and night.left(29 * HOUR, now) == HOUR
