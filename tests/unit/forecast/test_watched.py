"""What is known of a run that was interrupted."""

from srqueue.forecast.watched import Watched
from srqueue.run.events import Event


def events(*rows):
    return [Event(n, float(n), token, it, kind, data) for n, (token, it, kind, data) in enumerate(rows)]


def val(psnr):
    return {"val/psnr": psnr, "val/ssim": 0.9, "seconds": 0.5, "bicubic/psnr": 29.0}


def test_what_is_trained_again_counts_once():
    found = Watched.of(
        events(
            (1, 10, "train", {"it_s": 5.0, "lr": 1e-3}), (1, 10, "val", val(30.0)), (1, 20, "val", val(31.0)),
            (1, 10, "checkpoint", {"name": "c"}),
            (2, 10, "phase", {"phase": "restored"}), (2, 20, "train", {"it_s": 6.0, "lr": 5e-4}),
            (2, 20, "val", val(31.5)),
        )
    )  # fmt: skip
    assert [(v.iteration, v.psnr, v.rate) for v in found.validations] == [(10, 30.0, 1e-3), (20, 31.5, 5e-4)]
    assert [r.token for r in found.reports] == [1, 2] and found.bicubic == 29.0


def test_a_validation_that_is_said_twice_and_one_without_figures():
    found = Watched.of(
        events((1, 10, "val", val(30.0)), (1, 10, "val", val(30.2)), (1, 20, "val", {"val/psnr": None}))
    )
    assert [v.psnr for v in found.validations] == [30.2]


def test_where_the_decay_began():
    action = {
        "by": "IntelligentEarlyStopping",
        "did": "started the decay of the learning rate",
        "reason": "r",
    }
    rows = [(1, 50, "val", val(30.0)), (1, 50, "action", action)]
    assert Watched.of(events(*rows)).decay_from == 50
    assert Watched.of(events(*rows, (2, 40, "phase", {"phase": "restored"}))).decay_from is None


def test_the_time_of_attempts_is_added_without_what_lies_between():
    found = Watched()
    for t, token in ((10.0, 1), (15.0, 1), (100.0, 2), (103.0, 2)):
        found.see(Event(0, t, token, int(t), "train", {"it_s": 1.0}))
    assert (found.spent, found.now) == (8.0, 103.0)
