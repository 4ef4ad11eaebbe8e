"""How long the rest takes."""

import pytest

from srqueue.forecast.timing import Report, measured


def reports(times, every=10, token=1, start=0.0):
    found, t = [], start
    for number, seconds in enumerate(times, 1):
        t += seconds
        found.append(Report(every * number, t, token, every / seconds))
    return found


def test_a_steady_run_goes_on_as_it_did():
    speed = measured(reports([2.0] * 20), [0.5] * 4)
    assert speed.it_s == pytest.approx(5.0, rel=0.01) and speed.validation_s == 0.5
    assert speed.doubt < 0.1 and speed.seconds(100, 2) == pytest.approx(21, rel=0.01)


def test_one_hiccup_counts_for_nothing():
    calm, jolted = reports([2.0] * 20), reports([2.0] * 10 + [60.0] + [2.0] * 9)
    assert measured(jolted, []).it_s == pytest.approx(measured(calm, []).it_s)


def test_the_time_between_attempts_is_no_training():
    first = reports([2.0] * 10)
    later = [Report(100 + r.iteration, r.t + 9000, 2, r.it_s) for r in first]
    assert measured([*first, *later], [0.1] * 4).it_s == pytest.approx(5.0, rel=0.02)


def test_what_saves_take_is_counted():
    slow = [Report(r.iteration, r.t * 1.5, 1, r.it_s) for r in reports([2.0] * 20)]
    assert measured(slow, [0.0] * 4).it_s == pytest.approx(5.0 / 1.5, rel=0.02)


def test_an_unsteady_machine_is_in_more_doubt_and_nothing_says_nothing():
    assert measured(reports([1.0, 3.0] * 10), []).doubt > measured(reports([2.0] * 20), []).doubt
    assert measured([], [0.5]) is None
