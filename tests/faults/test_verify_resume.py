"""Every loss, optimizer, schedule, automation and precision: ended over and over, the bits are the same."""

import pytest

from srqueue.spec.expand import DatasetRef, expand
from srqueue.spec.variations import variations
from workers.trainer import commit_points, saving
from workers.trainer.commit_points import COMMIT_POINTS
from workers.verifying.pictures import make_pictures
from workers.verifying.verdict import Verifier

SHORT = {
    "datasets": {"train": {"lq_size": 16, "batch_size": 4}},
    "train": {"total_iter": 120},
    "val": {"val_freq": 10},
    "compute": {"device": "cpu", "threads": 1},
    "network_g": {"num_feat": 8, "num_conv": 1},
}
GIVEN = expand(
    DatasetRef("verify-resume", val_name="verify-resume"), preset="tuned", architecture="compact",
    overrides=[("test", SHORT)],
).spec  # fmt: skip
VARIATIONS = variations(GIVEN)


@pytest.fixture(scope="module")
def verifier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    return Verifier(folder, make_pictures(folder), "cpu", 1)


@pytest.mark.parametrize("name", VARIATIONS)
def test_a_run_that_is_ended_over_and_over_ends_with_the_same_bits(verifier, name):
    number = list(VARIATIONS).index(name)
    points = (COMMIT_POINTS[number % len(COMMIT_POINTS)], COMMIT_POINTS[(number + 3) % len(COMMIT_POINTS)])
    verdict = verifier.verify(name, VARIATIONS[name], points, kills=1, stops=1)
    assert (verdict.differing, verdict.wrong) == ((), ())
    assert {how.partition(",")[0] for how in verdict.landed} >= set(points)
    assert verdict.identical and verdict.compared > 40


def beside_the_training():
    """Every checkpoint is written by the other thread."""
    saving.ASYNCHRONOUS_FROM = 0


def test_checkpoints_beside_the_training_are_exact_at_every_point_of_their_writing(tmp_path):
    class Beside(Verifier):
        def new(self, spec, name, faults=None):
            return super().new(spec, name, beside_the_training)

    verifier = Beside(tmp_path, make_pictures(tmp_path), "cpu", 2)
    longer = GIVEN.model_copy(update={"train": GIVEN.train.model_copy(update={"total_iter": 400})})
    verdict = verifier.verify("beside", longer, COMMIT_POINTS, kills=2, stops=1)
    assert (verdict.differing, verdict.wrong) == ((), ())
    assert verdict.identical


def drawing_without_a_seed():
    """A planted fault: what a network is trained on depends on the process."""
    import os

    from workers.trainer.data.batches import Batches

    real = Batches.__getitem__
    Batches.__getitem__ = lambda self, sample: real(self, sample + os.getpid() % 1000)


def test_a_run_that_is_not_exact_is_found_out(tmp_path):
    class Planted(Verifier):
        def new(self, spec, name, faults=None):
            return super().new(spec, name, drawing_without_a_seed)

    verdict = Planted(tmp_path, make_pictures(tmp_path), "cpu", 1).verify("planted", GIVEN, (), 1, 0)
    assert not verdict.identical
    assert any(name.startswith("tensor model/") for name in verdict.differing)


def test_nobody_dies_where_no_point_is_there():
    with pytest.raises(ValueError, match="none of"):
        commit_points.arm(1, "invented")
