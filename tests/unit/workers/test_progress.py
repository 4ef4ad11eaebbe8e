"""The one line that Flower shows of a training."""

import pytest

from srqueue.run.reasons import JobState
from srqueue.store.record import JobRecord
from workers.progress import duration, progress_text

JOB = JobRecord(
    id="01ARZ3NDEKTSV4RRFFQ69GABCD", name="paris", state=JobState.RUNNING, spec={}, origins={}, spec_id="",
    priority=5, device_class="any", created=0, updated=0, total_iter=80000,
)  # fmt: skip


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        ({"psnr": 29.414, "eta_s": 10900.0}, "it 1200/80000 psnr 29.41 dB eta 3h · paris 9gabcd"),
        ({"eta_s": 40}, "it 1200/80000 eta 40s · paris 9gabcd"),
        ({}, "it 1200/80000 · paris 9gabcd"),
        ({"psnr": None, "eta_s": None}, "it 1200/80000 · paris 9gabcd"),
    ],
)
def test_what_is_known_is_shown(progress, text):
    assert progress_text(JOB, 1200, progress) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (89, "89s"), (90, "2m"), (5399, "90m"), (5400, "2h"), (108000, "30h"), (200000, "2d")],
)
def test_durations_are_short(seconds, text):
    assert duration(seconds) == text
