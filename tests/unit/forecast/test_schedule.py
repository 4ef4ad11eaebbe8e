"""The share of the rate is the trainer's, and so is the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srqueue.forecast.schedule import areas, last_iteration, rate_share, warmed_share
from srqueue.spec.training import TrainSpec
from workers.trainer.optim import schedule as trainers

SCHEDULES = st.one_of(
    st.just({"type": "constant"}),
    st.builds(lambda f: {"type": "cosine", "min_factor": f}, st.floats(0, 1)),
    st.builds(lambda g: {"type": "multistep", "milestones": [7, 60], "gamma": g}, st.floats(0.1, 0.9)),
    st.builds(
        lambda d, s, f: {"type": "wsd", "decay_share": d, "shape": s, "min_factor": f},
        st.floats(0.05, 1), st.sampled_from(["linear", "sqrt"]), st.floats(0, 1),
    ),
)  # fmt: skip


@given(SCHEDULES, st.integers(0, 20), st.integers(0, 99), st.one_of(st.none(), st.integers(1, 99)))
def test_shares_and_ends_are_those_of_the_trainer(schedule, warmup, iteration, decay_from):
    train = TrainSpec.model_validate(
        {
            "total_iter": 100,
            "warmup_iter": warmup,
            "scheduler": schedule,
            "optim_g": {"type": "AdamW", "lr": 1.0},
        }
    )
    theirs = trainers.learning_rate(train, iteration, 1.0, decay_from)
    assert warmed_share(train, iteration, decay_from) == pytest.approx(theirs, abs=1e-12)
    assert last_iteration(train, decay_from) == trainers.last_iteration(train, decay_from)
    assert 0 <= rate_share(train, iteration, decay_from) <= 1


def test_progress_is_the_area_under_the_rate():
    assert areas([10, 20, 40], [1.0, 1.0, 1.0]) == [10, 20, 40]
    assert areas([10, 20], [1.0, 0.0]) == [10, 15]
    assert areas([], []) == []
