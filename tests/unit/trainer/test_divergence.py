"""The divergence guard as tables, and where a run goes back to."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.errors import SrqueueError
from srqueue.run.folder import CheckpointName
from srqueue.spec.anchors import anchor_interval
from srqueue.spec.automations import DivergenceGuardSpec
from workers.trainer.automations.divergence import WINDOW, DivergenceGuard, window_start
from workers.trainer.rollback import Diverged, go_back, needed, refuges
from workers.trainer.state import RunState


def judged(losses, **spec):
    """(iteration, verdict) of the first window that is found wrong, or None."""
    guard = DivergenceGuard(DivergenceGuardSpec(**spec))
    for i, loss in enumerate(losses, 1):
        guard.observe(loss)
        if i % WINDOW == 0 and (verdict := guard.judge(i)):
            return i, verdict
    return None


def with_spike(at, height, length=WINDOW):
    losses = [0.02] * 1000
    losses[at : at + length] = [height] * length
    return losses


HEALTHY = {
    "flat": [0.02] * 1000,
    "falling": [0.5 * math.exp(-i / 200) + 0.01 for i in range(1000)],
    "noise of single batches": [0.005 + 0.02 * (i * 7919 % 100) / 100 for i in range(1000)],
    "one bad batch": with_spike(500, 0.5, 1),
    "a window of four times the usual": with_spike(500, 0.08),
    "slowly rising": [0.02 * 1.002**i for i in range(1000)],
    "wild at the very start": [5.0] * WINDOW + [0.02] * 500,
    "all but nothing": [1e-9] * 300 + [1e-7] * 300,
}


@pytest.mark.parametrize("name", HEALTHY)
def test_what_is_let_be(name):
    assert judged(HEALTHY[name]) is None


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        (with_spike(500, 0.11), (550, "the loss is 0.11, more than 5 times the usual 0.02")),
        (with_spike(520, 0.4, 15), (550, "the loss is 0.134, more than 5 times the usual 0.02")),
        (with_spike(507, math.nan, 1), (550, "the loss is nan")),
        (with_spike(507, math.inf, 1), (550, "the loss is inf")),
        (with_spike(3, math.nan, 1), (50, "the loss is nan")),
        (with_spike(0, 11.0), (50, "the loss is 11")),  # the very first window has nothing to compare with
        (with_spike(150, 0.11), (200, "the loss is 0.11, more than 5 times the usual 0.02")),
    ],
)
def test_what_is_found_wrong(losses, expected):
    assert judged(losses) == expected


def test_disabled_it_finds_only_what_never_comes_back():
    assert judged(with_spike(500, 9.0), enabled=False) is None
    assert judged(with_spike(500, 11.0), enabled=False) == (550, "the loss is 11")


def test_what_is_hopeless_grows_with_the_weights_of_the_losses():
    guard = DivergenceGuard(DivergenceGuardSpec(), weight=3.0)
    guard.observe(25.0)
    assert guard.sound and guard.judge(1) is None
    guard.observe(40.0)
    assert guard.judge(2) == "the loss is 32.5"


def test_an_explosion_is_not_what_is_usual_afterwards():
    """A spike that is let be, below the factor, hardly moves the median."""
    losses = with_spike(300, 0.09) + with_spike(0, 0.11)
    assert judged(losses) == (1050, "the loss is 0.11, more than 5 times the usual 0.02")


def test_a_window_that_has_begun_says_whether_it_may_be_saved():
    guard = DivergenceGuard(DivergenceGuardSpec())
    assert guard.sound
    guard.observe(0.02)
    assert guard.sound
    guard.observe(math.nan)
    assert not guard.sound
    assert guard.judge(2) == "the loss is nan"  # before a validation


@given(st.lists(st.floats(0, 10), min_size=200, max_size=400), st.data())
def test_a_guard_from_its_json_judges_the_same(losses, data):
    saved_at = data.draw(st.integers(0, len(losses) - 1))
    unbroken, guard = (DivergenceGuard(DivergenceGuardSpec(spike_factor=1.5)) for _ in range(2))
    for i, loss in enumerate(losses, 1):
        if i == saved_at:
            state = json.loads(json.dumps(guard.state_dict()))
            guard = DivergenceGuard(DivergenceGuardSpec(spike_factor=1.5))
            guard.load_state_dict(state)
        for one in (unbroken, guard):
            one.observe(loss)
        assert unbroken.judge(i) == guard.judge(i)


@pytest.mark.parametrize(("iteration", "start"), [(0, 0), (1, 0), (50, 0), (51, 50), (100, 50), (101, 100)])
def test_the_window_of_a_step(iteration, start):
    assert window_start(iteration) == start


@pytest.mark.parametrize(
    ("total_iter", "val_freq", "expected"),
    [(40_000, 1000, 1000), (40_000, 40_000, 4000), (400, 40, 40), (5000, 5000, 1000), (10, 4000, 1000)],
)
def test_anchors_are_validations_or_tenths(total_iter, val_freq, expected):
    assert anchor_interval(total_iter, val_freq) == expected


def names(*iterations):
    return [CheckpointName(seq, iteration, 1) for seq, iteration in enumerate(iterations, 1)]


@pytest.mark.parametrize(
    ("iterations", "wrong_at", "best_first"),
    [
        ([20, 40, 60, 80, 100, 117, 120], 140, [100, 80, 60, 40, 20]),  # the window is 100..150
        ([20, 40, 60, 80, 100, 117, 120], 150, [100, 80, 60, 40, 20]),
        ([20, 40], 50, []),  # from before the first window: the start
        ([117, 133], 140, []),  # saved by the clock: where it would lead is chance
        ([20, 40, 60, 80, 100, 120, 100, 120, 140], 160, [140, 120, 100, 120, 100, 80, 60, 40, 20]),
    ],
)
def test_where_a_run_goes_back_to(iterations, wrong_at, best_first):
    assert [n.iteration for n in refuges(names(*iterations), 20, wrong_at)] == best_first


def test_after_a_roll_back_the_newer_of_two_checkpoints_of_an_iteration_is_taken():
    assert refuges(names(20, 40, 60, 80, 100, 120, 100, 105), 20, 120)[0] == CheckpointName(7, 100, 1)


@given(
    interval=st.integers(1, 300), total=st.integers(60, 2000),
    gaps=st.lists(st.integers(1, 60), min_size=5, max_size=60),
)  # fmt: skip
def test_retention_never_removes_a_refuge(interval, total, gaps):
    """Saves by the clock come in between; the best refuge is always what it would be if all were kept."""
    clock, at = set(), 0
    for gap in gaps:
        clock.add(at := at + gap)
    kept, everything, seq = [], [], 0
    for iteration in range(1, total):
        best = refuges(everything, interval, iteration)[:1]
        assert refuges(kept, interval, iteration)[:1] == best  # judged before it is saved
        if iteration in clock or iteration % interval == 0:
            seq += 1
            name = CheckpointName(seq, iteration, 1)
            everything.append(name)
            wanted = needed([*kept, name], interval, iteration)
            kept = [n for n in (*kept, name) if n in wanted or n == name]


def test_what_is_kept_and_what_goes_back():
    now = RunState(
        iteration=540, seq=9, seconds=7.0, bad_pictures=["a"], decisions=[{"did": "x"}], micro_batch=2,
        rollbacks=1, guard_factor=0.5, sample_offset=30, best_iteration=520, validated=520,
    )  # fmt: skip
    then = RunState(iteration=400, seq=6, best_iteration=300, validated=400, guard_factor=1.0)
    spec = DivergenceGuardSpec()
    (_, state), action = go_back(spec, now, "the loss is nan", lambda: ({}, then), None)
    assert (state.iteration, state.validated, state.best_iteration) == (400, 400, 300)
    assert (state.seq, state.seconds, state.micro_batch, state.bad_pictures) == (9, 7.0, 2, ["a"])
    assert state.bad_pictures is now.bad_pictures  # the quarantine writes to it
    assert (state.rollbacks, state.guard_factor) == (2, 0.25)
    assert state.iteration + state.sample_offset == now.iteration + now.sample_offset
    assert action.reason == "the loss is nan at iteration 540"
    assert "went back to iteration 400" in action.did
    assert "0.25 of the learning rate" in action.did


@pytest.mark.parametrize(
    ("spec", "rollbacks", "message"),
    [
        ({"enabled": False}, 0, "the loss is nan at iteration 540"),
        ({"max_rollbacks": 0}, 0, "the loss is nan at iteration 540"),
        ({"max_rollbacks": 2}, 2, "the loss is nan at iteration 540, after 2 roll-backs"),
        ({}, 0, "the loss is nan at iteration 540, and there is nothing to go back to: gone"),
    ],
)
def test_where_it_does_not_go_back(spec, rollbacks, message):
    def gone():
        raise SrqueueError("gone")

    now = RunState(iteration=540, rollbacks=rollbacks)
    with pytest.raises(Diverged) as caught:
        go_back(DivergenceGuardSpec(**spec), now, "the loss is nan", gone, CheckpointName(1, 2, 3))
    assert caught.value.message == message
    assert "ckpt-000001-it2-t3" in str(caught.value)
