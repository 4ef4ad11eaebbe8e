"""What notices say, and what their addresses show of themselves."""

from pathlib import Path

import pytest

from srqueue.notices import said
from srqueue.notices.addresses import redacted, split
from srqueue.notices.notice import neutral
from srqueue.run.reasons import JobState, StopReason
from srqueue.store.record import JobRecord


def job(**more):
    values = {
        "id": "01J0000000000000000000ABCD", "name": "night", "state": JobState.SUCCEEDED, "spec": {},
        "origins": {},
        "spec_id": "x", "priority": 5, "device_class": "any", "created": 0.0, "updated": 0.0, "host": "gpu1",
        "iteration": 40000, "total_iter": 40000, "attempts": 2, "reason": StopReason.COMPLETED,
        "message": "all iterations done", "run_dir": "/runs/x",
        "metrics": {"best/psnr": 31.25, "bicubic/psnr": 29.0, "best/ssim": 0.91, "seconds": 36000.0},
    }  # fmt: skip
    return JobRecord(**{**values, **more})


def test_a_finished_job_tells_its_gain():
    notice = said.finished(job(), Path("/runs/x/export/comparison.png"))
    assert notice.title == "night finished: +2.25 dB over bicubic"
    assert notice.body.splitlines() == [
        "PSNR 31.25 dB (bicubic 29.00 dB), SSIM 0.9100",
        "iteration 40,000 of 40,000, 10.0 h of training",
        "all iterations done",
        "job 00abcd on gpu1, /runs/x",
    ]
    assert notice.picture == Path("/runs/x/export/comparison.png")


def test_a_failed_job_tells_why_and_what_next():
    failed = job(
        state=JobState.FAILED, reason=StopReason.DIVERGED, message="the loss is NaN\nmore", metrics={}
    )
    notice = said.failed(failed)
    assert notice.title == "night failed: diverged"
    assert "the loss is NaN" in notice.body and "more" not in notice.body
    assert "srqueue explain 00abcd" in notice.body


def test_a_job_without_figures_is_told_without():
    assert said.finished(job(metrics={})).title == "night finished"


def test_a_plateau_says_who_acted():
    told = said.plateau(job(), "IntelligentEarlyStopping stopped the run: no gain")
    assert told.title == "night stands still" and told.body.startswith("IntelligentEarlyStopping stopped")


def test_a_disk_says_how_much_is_left():
    assert said.disk("gpu1", "/runs", 3 * said.GIB, 10.0).title == "the disk of gpu1 is low: 3.0 GiB left"


def test_a_digest_counts_and_names():
    running = job(
        state=JobState.RUNNING, iteration=10000, progress={"best_psnr": 30.0, "eta_s": 7200.0}, metrics={}
    )
    day = said.Day(ended=[job(), job(state=JobState.FAILED)], running=[running], queued=7, held=1)
    told = said.digest(day)
    assert told.title == "1 finished, 1 failed, 1 running, 7 queued"
    assert "night 00abcd 25%, 30.00 dB, 2.0 h left" in told.body and "1 held, 0 paused" in told.body
    assert said.digest(said.Day()).body == "nothing happened"


def test_many_ends_are_one_notice():
    told = said.bundle([job()] * 12 + [job(state=JobState.FAILED)])
    assert told.title == "12 jobs finished, 1 failed" and told.body.endswith("and 3 more")


def test_no_text_of_a_job_mentions_everyone_or_adds_a_header():
    told = said.failed(job(message="@everyone <!channel>\x1b[31m", name="a\nBcc: x@y"))
    assert "@everyone" not in told.body and "<!channel" not in told.body and "\x1b" not in told.body
    assert "\n" not in told.title
    assert neutral("plain text, 3 < 4") == "plain text, 3 < 4"


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("json://a/b", ["json://a/b"]),
        ("json://a/b,discord://1/2  slack://x", ["json://a/b", "discord://1/2", "slack://x"]),
        ("mailto://u:p@h?to=a@b,c@d, json://a", ["mailto://u:p@h?to=a@b,c@d", "json://a"]),
        ("  ", []),
    ],
)
def test_addresses_stand_between_commas_or_blanks(text, addresses):
    assert split(text) == addresses


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("json://user:secret@host:8080/path/token?key=1", "json://host:8080/***"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "discord://***"),
        ("slack://TokenA/TokenB/TokenC/#general", "slack://***"),
        ("mailto://me:password@example.org", "mailto://example.org/***"),
        ("json://[broken", "json://***"),
        ("secret without a scheme", "***"),
    ],
)
def test_an_address_is_shown_without_what_is_secret(address, shown):
    assert redacted(address) == shown
