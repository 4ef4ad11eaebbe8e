"""Trainings as reports see them, out of event lines that are written here."""

import base64

import pytest

from srqueue.curves import history
from srqueue.report.subject import Crop, Gallery, Subject
from srqueue.run.events import Event

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HOUR = 3600.0


def told(hours, psnr_at, token=1, begin=0):
    """An event a validation: `psnr_at(hour)` dB each hour, 1,000 iterations an hour."""
    events = [Event(0, begin * HOUR, token, begin * 1000, "phase", {"phase": "started"})]
    for n, hour in enumerate(range(begin + 1, hours + 1), 1):
        it, t = hour * 1000, hour * HOUR
        events.append(Event(2 * n, t, token, it, "train", {"loss": 1.0 / hour, "lr": 1e-4, "it_s": 0.28}))
        val = {"val/psnr": psnr_at(hour), "val/ssim": 0.8, "bicubic/psnr": 27.0, "bicubic/ssim": 0.75}
        events.append(Event(2 * n + 1, t, token, it, "val", val))
    return events


@pytest.fixture(name="told")
def _told():
    return told


@pytest.fixture
def subject():
    def make(name="night", events=None, identity="a" * 64, **more) -> Subject:
        spec = {
            "name": name, "scale": 2, "manual_seed": 7, "network_g": {"type": "compact"},
            "datasets": {
                "train": {"name": "cc0", "identity": "b" * 64}, "val": {"name": "set5", "identity": identity},
            },
            "train": {"total_iter": 40000, "optim_g": {"lr": 1e-4}},
        }  # fmt: skip
        found = events if events is not None else told(12, lambda hour: 27.0 + hour / 4)
        values = {
            "id": f"01J0000000000000000000{name[:4].upper():0>4}", "name": name, "state": "succeeded",
            "reason": "completed", "spec": more.pop("spec", spec), "history": history(found),
            "spec_id": "c" * 64,
        }  # fmt: skip
        return Subject(**{**values, **more})

    return make


@pytest.fixture
def gallery():
    return Gallery(crops=[Crop(name="a.png", bicubic=PNG, original=PNG, model={500: PNG, 1000: PNG})])
