"""Where a training stands, from its events."""

from srqueue.cli.progress import Progress, news
from srqueue.run.events import Event


def event(kind, it=0, **data):
    return Event(n=0, t=0.0, token=1, it=it, kind=kind, data=data)


def test_a_line_tells_iteration_speed_loss_and_time_left():
    progress = Progress(total=3000)
    progress.see_event(event("train", 1200, loss=0.02123, it_s=52.14, eta_s=34.6, total_iter=3000))
    assert progress.steps() == "it 1200/3000   52.1 it/s   loss 0.0212   ETA 35s"
    assert progress.share == 0.4


def test_validation_stands_beside_bicubic():
    progress = Progress()
    assert progress.quality() == ""
    figures = {"val/psnr": 31.22, "bicubic/psnr": 30.1, "val/ssim": 0.93121, "bicubic/ssim": 0.9101}
    progress.see_event(event("val", 500, **figures))
    expected = "PSNR 31.22 dB (bicubic 30.10, +1.12)   SSIM 0.9312 (bicubic 0.9101)"
    assert progress.quality() == expected
    assert progress.validations == 1


def test_a_value_that_is_not_finite_leaves_the_last_one_standing():
    progress = Progress()
    progress.see_event(event("train", 10, loss=0.5))
    progress.see_event(event("train", 20, loss=None, non_finite=["loss"]))
    assert "loss 0.5000" in progress.steps()


def test_only_what_a_watcher_should_not_miss_is_news():
    assert news(event("train", 10, loss=0.5)) is None
    assert news(event("phase", 0, phase="training")) is None
    assert news(event("phase", 70, phase="restored")) == "goes on from iteration 70"
    assert news(event("message", 0, level="warning", text="no bf16 here")) == "warning: no bf16 here"
