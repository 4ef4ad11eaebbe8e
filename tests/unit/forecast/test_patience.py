"""Early stopping and rate cuts are foretold as the trainer will decide them."""

from hypothesis import given
from hypothesis import strategies as st

from srqueue.forecast.patience import Automata
from srqueue.spec.training import TrainSpec
from workers.trainer.automations import Automations


def train(**stopping):
    return TrainSpec.model_validate(
        {
            "total_iter": 1000, "warmup_iter": 30,
            "training_automations": {
                "enabled": True,
                "IntelligentLearningRateScheduler": {"plateau_patience": 60, "improvement_threshold": 0.05},
                "IntelligentEarlyStopping": {"patience": 130, "min_improvement": 0.02, **stopping},
            },
        }
    )  # fmt: skip


@given(st.lists(st.floats(30, 31), min_size=1, max_size=40))
def test_it_stops_and_cuts_where_the_trainer_does(values):
    theirs, ours = Automations(train(), ["l1"]), Automata.of(train())
    for place, value in enumerate(values, 1):
        metrics = {"val/psnr": value, "val/ssim": 0.9, "val/psnr_rgb": value, "train/loss": 0.1}
        theirs.observe(20 * place, metrics)
        stopped = ours.observe(20 * place, value)
        assert ours.factor == theirs.lr_factor
        assert stopped == theirs.stopped
        if stopped:
            return


def test_a_copy_is_played_on_without_the_original():
    first = Automata.of(train()).seen([(20, 30.0), (40, 30.5)])
    other = first.copy()
    assert any(other.observe(20 * n, 30.0) for n in range(3, 40))
    assert first.stopping.since == 40 and first.factor == 1.0


def test_what_watches_something_else_is_not_foretold():
    assert Automata.of(train(monitor_metric="train/loss")).stopping is None
    assert Automata.of(TrainSpec(total_iter=10)).cutting is None
