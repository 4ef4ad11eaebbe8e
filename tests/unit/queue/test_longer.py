"""The rate at the joint of an extended run is the trainer's own."""

import pytest

from srqueue.queue.longer import rate_shares
from srqueue.spec.training import TrainSpec
from workers.trainer.optim.schedule import learning_rate

SCHEDULES = [
    {"type": "constant"},
    {"type": "cosine", "min_factor": 0.05},
    {"type": "multistep", "milestones": [200, 900], "gamma": 0.5},
    {"type": "wsd", "decay_share": 0.2},
    {"type": "wsd", "decay_share": 0.4, "shape": "sqrt", "min_factor": 0.1},
]


def train(total, schedule):
    return TrainSpec.model_validate(
        {"total_iter": total, "warmup_iter": 50, "optim_g": {"lr": 1}, "scheduler": schedule}
    )


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: f"{s['type']} {s.get('shape', '')}".strip())
@pytest.mark.parametrize(("at", "more"), [(1000, 1), (1000, 500), (1000, 9000), (620, 300)])
def test_the_shares_are_those_that_the_trainer_computes(schedule, at, more):
    before, after = train(1000, schedule), train(max(at + more, 901), schedule)
    was, now = rate_shares(before, after, at)
    assert was == pytest.approx(learning_rate(before, at - 1))
    assert now == pytest.approx(learning_rate(after, at))
