"""The sentences of `srqueue explain`, for every state and every reason."""

from dataclasses import replace
from pathlib import Path

import pytest

from srqueue.queue.explaining import ATTEMPT_COLUMNS, Facts, explain, explain_folder
from srqueue.run.evidence import AttemptEvidence, Evidence
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import CONSEQUENCES, JobState, StopReason
from srqueue.run.remedies import REMEDIES
from srqueue.store.attempts import AttemptRecord
from srqueue.store.record import JobRecord, WorkerRecord

NOW = 1_800_000_000.0
JOB = JobRecord(
    id="01J0000000000000000000ABCD", name="cc0_fidelity", state=JobState.QUEUED, spec={}, origins={},
    spec_id="s", priority=5, device_class="cuda", created=NOW - 900, updated=NOW - 2, total_iter=1000,
)  # fmt: skip
WORKER = WorkerRecord(
    name="w@here", host="here", pid=1, classes=("any",), device="cpu", version="1", since=NOW, root_id="root"
)
CRASHED = AttemptRecord(
    token=1, worker="w@here:77", host="here", begun=NOW - 300, from_iteration=0, ended=NOW - 60,
    iteration=90, reason=StopReason.CRASHED, counted=True,
    message="the trainer was ended by SIGKILL; its last lines:\nboom", failures=1, state=JobState.QUEUED,
)  # fmt: skip


def told(**more):
    changes = {
        key: more.pop(key)
        for key in list(more)
        if key in JobRecord.__dataclass_fields__ and key != "attempts"
    }
    return explain(Facts(replace(JOB, **changes), NOW, **more))


def test_there_is_a_remedy_for_every_reason():
    assert REMEDIES.keys() == CONSEQUENCES.keys()


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("reason", [None, *StopReason])
def test_every_state_and_reason_has_its_words(state, reason):
    found = told(state=state, reason=reason, attempts=[CRASHED], workers=[WORKER])
    assert found.why and all(sentence.strip() for sentence in found.why)
    assert all(len(row) == len(ATTEMPT_COLUMNS) for row in found.attempts)
    assert found.next and "JOB" not in found.next


def test_a_job_that_waits_after_a_failure():
    found = told(
        failures=1, reason=StopReason.CRASHED, message="boom; its last lines:\nx", not_before=NOW + 40,
        waits="until 12:00:00 (in 40 s), because: boom", attempts=[CRASHED],
    )  # fmt: skip
    assert "its last attempt ended: boom" in found.why
    assert "now it waits: until 12:00:00 (in 40 s), because: boom" in found.why
    assert any("1 of 3" in sentence for sentence in found.why)
    assert "srqueue resume 00abcd" in found.next
    row = found.attempts[0]
    assert row[:5] == ("1", "w@here", "0", "90", "4 min")
    assert row[5] == "crashed: the trainer was ended by SIGKILL (failure 1) -> queued"


def test_a_job_whose_folder_is_elsewhere_names_it():
    found = told(root_id="other", run_dir="/runs/x", host="gpu2", workers=[WORKER], waits="nobody reaches it")
    assert any("other" in s and "/runs/x on gpu2" in s for s in found.why)


def test_a_running_job_says_where_and_how_long_it_is_safe():
    open_one = AttemptRecord(token=3, worker="w@here:77", host="here", begun=NOW - 600, from_iteration=40)
    job = {
        "state": JobState.RUNNING, "token": 3, "owner": "w@here:77", "host": "here", "iteration": 70,
        "progress": {"it_s": 9.5, "eta_s": 600.0},
    }  # fmt: skip
    found = told(**job, attempts=[open_one], lease_left=28.0)
    assert found.why[0] == "attempt 3 runs on w@here:77 (here), for 10 min"
    assert "good for 28 s" in found.why[1]
    assert found.why[2] == "iteration 70 of 1000, 9.5 it/s, 10 min left"
    assert found.attempts[0][4:] == ("-", "runs")
    lost = told(**job, attempts=[open_one], lease_left=-12.0, updated=NOW - 90)
    assert "its lease ran out 12 s ago" in lost.why[1]
    assert any("nothing was heard of it for 90 s" in s for s in lost.why)


def evidence(outcome=None, **more):
    attempt = AttemptEvidence(
        2,
        NOW - 50,
        "ckpt-000003-it40-t1",
        outcome,
        "here",
        44,
        ("a picture is bad",),
        ("x", "boom"),
        Path("log"),
    )
    return Evidence(Path("/runs/01J0000000000000000000ABCD"), (attempt,), name="cc0", **more)


def test_a_failed_job_shows_its_last_lines_and_what_lies_in_its_folder():
    found = told(
        state=JobState.FAILED, reason=StopReason.NO_PROGRESS, message="three attempts", attempts=[CRASHED],
        evidence=evidence(
            newest="ckpt-000003-it40-t1", saved=120.0, set_aside=("bad-ckpt-000004-it50-t1",), decided=7,
            decisions=("iteration 9: X did y (z)",), bad_pictures=("a.png",),
        ),
    )  # fmt: skip
    assert found.why[0] == "failed (attempt 1 on w@here:77): three attempts"
    assert found.log == ["x", "boom"]
    text = "\n".join(found.why)
    for part in ("it40-t1, 2 min ago", "bad-ckpt-000004", "a.png", "7 in all", "a picture is bad"):
        assert part in text
    assert found.next == "look at the log of its last attempt; then: srqueue retry 00abcd"


def test_a_run_folder_alone_is_explained():
    killed = explain_folder(evidence())
    assert "no outcome" in killed.why[0] and "iteration 44" in killed.why[0] and killed.log == ["x", "boom"]
    ended = explain_folder(evidence(Outcome(StopReason.DIVERGED, "the loss is nan", 44)))
    assert ended.why[0] == "its last attempt (2) ended: the loss is nan"
    assert "lower train.optim_g.lr" in ended.next
    assert explain_folder(Evidence(Path("/runs/x"), ())).why == ["no attempt was made"]
