"""Curves out of event lines."""

from hypothesis import given
from hypothesis import strategies as st

from srqueue.curves import history
from srqueue.run.events import Event


def events(*told):
    """(token, t, it, kind, data) as events."""
    return [Event(n, t, token, it, kind, data) for n, (token, t, it, kind, data) in enumerate(told)]


def test_points_have_iterations_hours_and_values():
    found = history(
        events(
            (1, 0, 0, "phase", {"phase": "started"}),
            (1, 1800, 10, "train", {"loss": 0.5, "lr": 1e-3, "losses": {"l1": 0.4}, "total_iter": 100}),
            (1, 3600, 20, "val", {"val/psnr": 30.0, "best": True, "bicubic/psnr": 29.0}),
        )
    )
    assert found.curves["loss"].it == [10] and found.curves["loss"].hours == [0.5]
    assert found.curves["losses/l1"].values == [0.4]
    assert (found.curves["val/psnr"].values, found.curves["val/psnr"].unit) == ([30.0], "dB")
    assert "total_iter" not in found.curves and "best" not in found.curves
    assert (found.iteration, found.hours) == (20, 1.0)


def test_the_time_between_attempts_is_no_training():
    found = history(
        events(
            (1, 0, 0, "phase", {"phase": "started"}),
            (1, 3600, 10, "train", {"loss": 1.0}),
            (2, 90_000, 10, "phase", {"phase": "restored"}),
            (2, 93_600, 20, "train", {"loss": 0.5}),
        )
    )
    assert found.curves["loss"].hours == [1.0, 2.0]
    (restart,) = found.marks
    assert (restart.kind, restart.it, restart.hours) == ("restart", 10, 1.0)


def test_what_was_trained_again_counts_once():
    found = history(
        events(
            (1, 0, 10, "train", {"loss": 1.0}),
            (1, 1, 20, "train", {"loss": 0.9}),
            (1, 2, 30, "train", {"loss": 0.8}),
            (2, 9, 10, "phase", {"phase": "restored"}),
            (2, 10, 20, "train", {"loss": 0.95}),
        )
    )
    assert found.curves["loss"].it == [10, 20] and found.curves["loss"].values == [1.0, 0.95]


def test_hours_are_the_same_with_and_without_what_was_lost():
    first = [(1, 0, 0, "phase", {"phase": "started"}), (1, 3600, 10, "train", {"loss": 1.0})]
    saved = [(1, 5400, 10, "checkpoint", {"name": "ckpt-000001-it10-t1"})]
    lost = [(1, 7200, 20, "train", {"loss": 0.9})]
    after = [(2, 90_000, 10, "phase", {"phase": "restored"}), (2, 93_600, 20, "train", {"loss": 0.8})]
    whole, short = history(events(*first, *saved, *lost, *after)), history(events(*first, *saved, *after))
    assert whole.curves == short.curves and whole.hours == short.hours == 2.5


def test_a_roll_back_drops_what_it_took_back_and_leaves_a_mark():
    found = history(
        events(
            (1, 0, 100, "val", {"val/psnr": 30.0}),
            (1, 1, 200, "val", {"val/psnr": 7.0}),
            (1, 2, 100, "action", {"by": "guard", "did": "went back", "reason": "the loss exploded"}),
            (1, 3, 150, "val", {"val/psnr": 30.5}),
        )
    )
    assert found.curves["val/psnr"].values == [30.0, 30.5]
    assert [(m.kind, m.text) for m in found.marks] == [("action", "guard: went back (the loss exploded)")]


def test_the_iteration_that_is_trained_again_has_the_new_value():
    found = history(
        events(
            *((1, n, n * 100, "train", {"loss": 1.0}) for n in (8, 9)),
            (1, 10, 1000, "train", {"loss": 9.0}),
            (1, 11, 900, "train", {"loss": 0.8}),
            (1, 12, 1000, "train", {"loss": 0.7}),
        )
    )
    assert found.curves["loss"].it == [800, 900, 1000] and found.curves["loss"].values == [1.0, 0.8, 0.7]


def test_a_checkpoint_that_is_told_late_takes_nothing_back():
    found = history(
        events(
            (1, 0, 100, "train", {"loss": 1.0}),
            (1, 1, 50, "checkpoint", {"name": "ckpt-000001-it50-t1"}),
            (1, 2, 200, "train", {"loss": 0.5}),
        )
    )
    assert found.curves["loss"].it == [100, 200]


def test_the_value_at_an_hour_is_the_newest_before_it():
    found = history(events((1, 0, 1, "val", {"a": 1.0}), (1, 7200, 2, "val", {"a": 2.0})))
    assert [found.at_hours("a", h) for h in (0.0, 1.9, 2.0, 2.1)] == [1.0, 1.0, 2.0, None]
    assert found.at_hours("b", 0.0) is None


def test_what_is_no_number_is_no_point():
    found = history(events((1, 0, 1, "train", {"loss": None, "non_finite": ["loss"], "device": "cpu"})))
    assert found.curves == {}


@given(st.lists(st.tuples(st.integers(1, 3), st.floats(0, 1e6), st.integers(0, 50)), max_size=40))
def test_whatever_comes_a_curve_is_in_order(told):
    found = history([Event(n, t, token, it, "train", {"loss": 1.0}) for n, (token, t, it) in enumerate(told)])
    for curve in found.curves.values():
        assert curve.it == sorted(curve.it) and curve.hours == sorted(curve.hours)
        assert len(curve.it) == len(curve.hours) == len(curve.values)
    assert found.hours >= 0
