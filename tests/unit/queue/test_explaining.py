"""The sentences of `srqueue explain`, for every state and every reason."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.main import get_command

from srqueue.cli.app import app_for
from srqueue.queue.explaining import ATTEMPT_COLUMNS, ATTEMPTS_SHOWN, explain, explain_folder
from srqueue.queue.facts import Facts
from srqueue.queue.waiting import why_waiting
from srqueue.run.evidence import AttemptEvidence, Evidence
from srqueue.run.folder import CheckpointName
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import CONSEQUENCES, JobState, StopReason
from srqueue.run.remedies import REMEDIES
from srqueue.spec.job import JobSpec
from srqueue.store.attempts import AttemptRecord
from srqueue.store.moments import Moments
from srqueue.store.record import JobRecord, WorkerRecord

NOW = 1_800_000_000.0
JOB = JobRecord(
    id="01J0000000000000000000ABCD", name="cc0_fidelity", state=JobState.QUEUED, spec={}, origins={},
    spec_id="s", priority=5, device_class="any", created=NOW - 900, updated=NOW - 2, total_iter=1000,
)  # fmt: skip
WORKER = WorkerRecord(
    name="w@here", host="here", pid=1, classes=("any",), device="cpu", version="1", since=NOW, root_id="root"
)
CRASHED = AttemptRecord(
    token=1, worker="w@here:77", host="here", begun=NOW - 300, from_iteration=0, ended=NOW - 60,
    iteration=90, reason=StopReason.CRASHED, counted=True,
    message="the trainer was ended by SIGKILL; its last lines:\nboom", failures=1, state=JobState.QUEUED,
)  # fmt: skip
OTHER = replace(
    JOB, id="01J0000000000000000000WXYZ", name="other", state=JobState.RUNNING, owner="w@here:9",
    progress={"eta_s": 720.0}, priority=9,
)  # fmt: skip


def told(**more):
    """What is explained of JOB, with other fields of it, and other facts."""
    fields = JobRecord.__dataclass_fields__.keys() - {"attempts"}
    job = replace(JOB, **{key: more.pop(key) for key in list(more) if key in fields})
    moments = Moments(NOW, **{k: more.pop(k) for k in list(more) if k in Moments.__dataclass_fields__})
    more.setdefault("waits", why_waiting(job, more.get("workers", ()), more.get("ahead", 0), NOW))
    return explain(Facts(job, moments, **more))


def text_of(found):
    return "\n".join(found.why)


# The tables.


def test_there_is_a_remedy_for_every_reason():
    assert REMEDIES.keys() == CONSEQUENCES.keys()


def test_remedies_name_commands_options_and_keys_that_there_are():
    commands = get_command(app_for([])).commands
    for remedy in REMEDIES.values():
        for name, more in re.findall(r"srqueue ([a-z-]+)((?: [a-zA-Z-]+)*)", remedy):
            command = commands[name]
            for option in re.findall(r"--[a-z]+", more):
                assert any(option in parameter.opts for parameter in command.params), remedy
        for path in re.findall(r"\b(?:train|datasets|compute)\.[a-z_.]+[a-z]", remedy):
            model = JobSpec
            *sections, last = path.split(".")
            for section in sections:
                kind = model.model_fields[section].annotation
                if not hasattr(kind, "model_fields"):
                    break  # a union: its members are tested with the spec
                model = kind
            else:
                assert last in model.model_fields, path


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("reason", [None, *StopReason])
def test_every_state_and_reason_has_its_words(state, reason):
    ended = replace(CRASHED, reason=reason, state=state)
    for attempts in ((), (ended,)):
        found = told(state=state, reason=reason, attempts=attempts, workers=[WORKER])
        assert found.why and all(sentence.strip() for sentence in found.why)
        assert all(len(row) == len(ATTEMPT_COLUMNS) for row in found.attempts)
        assert found.next and "JOB" not in found.next and "None" not in text_of(found)


@pytest.mark.parametrize("reason", StopReason)
def test_an_ended_job_has_the_remedy_of_its_reason(reason):
    state = CONSEQUENCES[reason].next_state
    if state.final or state is JobState.PAUSED:
        assert told(state=state, reason=reason).next == REMEDIES[reason].replace("JOB", JOB.short_id)


# Waiting.


def test_without_a_worker():
    found = told()
    assert found.why == ("now it waits: no worker is up; start one: srqueue up",)
    assert found.next == "srqueue up"


def test_without_a_worker_of_its_class():
    found = told(device_class="cuda", workers=[WORKER])
    assert found.why == ("now it waits: no worker that is up serves cuda (only any)",)
    assert found.next == "start a worker that serves cuda, or submit it for another compute.device"


def test_without_a_worker_that_reaches_its_folder():
    found = told(root_id="other", run_dir="/runs/x", host="gpu2", workers=[WORKER])
    assert "only a worker whose runs root is other" in text_of(found) and "/runs/x on gpu2" in text_of(found)
    assert found.next == "on gpu2: srqueue up"


def test_a_worker_that_ends_does_not_count():
    found = told(workers=[replace(WORKER, draining="finish")])
    assert "takes no more jobs and ends (w@here)" in text_of(found) and found.next == "srqueue up"


def test_behind_others_names_them_and_guesses_when():
    ahead = [replace(OTHER, state=JobState.QUEUED, owner=None)]
    found = told(workers=[WORKER], ahead=2, first_ahead=ahead, running=[OTHER])
    assert "now it waits: behind 2 jobs" in found.why
    assert "before it: other 00wxyz (priority 9) and 1 more" in found.why
    assert "w@here runs other 00wxyz (about 12 min left)" in found.why
    assert "should be free" not in text_of(found)  # nobody knows how long those before it take
    first = told(workers=[WORKER], running=[OTHER])
    assert "a worker should be free for it in about 12 min" in first.why


def test_a_guess_needs_to_know_of_every_busy_worker():
    second = replace(WORKER, name="v@here")
    silent = replace(OTHER, id=OTHER.id[:-1] + "A", owner="v@here:9", progress={})
    assert "should be free" not in text_of(told(workers=[WORKER, second], running=[OTHER, silent]))
    slow = replace(silent, progress={"eta_s": 7200.0})
    found = told(workers=[WORKER, second], running=[OTHER, slow], ahead=1, first_ahead=[OTHER])
    assert "a worker should be free for it in about 2.0 h" in found.why


def test_a_worker_of_several_slots_is_free_when_the_first_of_its_jobs_ends():
    worker, soon = replace(WORKER, slots=2), replace(OTHER, id=OTHER.id[:-1] + "A", progress={"eta_s": 60.0})
    found = told(workers=[worker], running=[OTHER, soon])
    assert "a worker should be free for it in about 60 s" in found.why
    assert "w@here runs other 00wxyz (about 12 min left); w@here runs other 00wxya" in text_of(found)
    assert "w@here is idle and should take it" in text_of(told(workers=[worker], running=[OTHER]))


def test_an_idle_worker_that_was_not_woken():
    found = told(workers=[WORKER], rung_in=24.0)
    assert "w@here is idle and should take it; it is rung for again in 24 s" in found.why


def test_a_job_that_was_asked_to_give_way():
    giver = replace(OTHER, wish="preempt", preempted_by=JOB.id)
    assert "was asked to give way to this one" in text_of(told(workers=[WORKER], running=[giver]))


def test_after_a_failure():
    message = "the trainer was ended by SIGKILL; its last lines:\nboom"
    found = told(
        failures=1, reason=StopReason.CRASHED, message=message, not_before=NOW + 40, workers=[WORKER],
        attempts=[replace(CRASHED, not_before=NOW - 20)], run_dir="/runs/x",
    )  # fmt: skip
    assert found.why[0] == ("attempt 1 on w@here ended 60 s ago: crashed, the trainer was ended by SIGKILL")
    assert re.fullmatch(r"now it waits until \S+ \(in 40 s\), then it is tried again by itself", found.why[1])
    assert "failures in a row without a new checkpoint: 1 of 3" in found.why[2]
    assert found.next == "it starts by itself; at once with: srqueue resume 00abcd"
    row = found.attempts[0]
    assert row[:5] == ("1", "w@here", "0", "90", "4 min")
    assert row[5] == "crashed: the trainer was ended by SIGKILL (failure 1 of 3) -> queued, again after 40 s"
    assert found.log == ("boom",) and found.log_file == "/runs/x/attempts/1/log on here"


def test_after_it_gave_way():
    gave = replace(CRASHED, reason=StopReason.PREEMPTED, message="gave way to other 00wxyz (priority 9)")
    found = told(attempts=[gave], message=gave.message, workers=[WORKER], running=[OTHER])
    assert "preempted, gave way to other 00wxyz (priority 9)" in found.why[0] and not found.log
    assert "since then" not in text_of(found)


def test_a_cancel_that_exports_first():
    found = told(wish="cancel", message="to be cancelled: x", workers=[WORKER], attempts=[CRASHED])
    assert "since then: to be cancelled: x" in found.why
    assert "waits for a worker to export its best weights first" in text_of(found)


def held(reason, message, **more):
    ended = replace(CRASHED, reason=reason, message=message, state=JobState.HELD, counted=False)
    return told(
        state=JobState.HELD, reason=reason, message=message, not_before=NOW + 50, workers=[WORKER],
        attempts=[ended], run_dir="/runs/x", **more,
    )  # fmt: skip


def test_held_for_its_pictures_names_the_file():
    found = held(StopReason.DATA_MISSING, "cannot read a picture\n  where: /hr/a.png\n  hint: restore it")
    assert "data_missing, cannot read a picture (where: /hr/a.png)" in found.why[0]
    assert (
        "it is looked at again by itself, now it waits until" in found.why[1] and "(in 50 s)" in found.why[1]
    )
    assert found.next.endswith("at once: srqueue resume 00abcd")


def test_held_for_room_on_the_disk():
    found = held(StopReason.DISK_FULL, "the disk is full", here=True, free=12_400_000)
    assert "under its runs root 12 MB are free now" in found.why
    assert found.next.count("at once") == 1


def test_held_for_its_folder():
    assert "there is no folder /runs/x on this machine now" in text_of(
        held(StopReason.ROOT_MISSING, "x", here=True)
    )
    assert "there is no folder" not in text_of(held(StopReason.ROOT_MISSING, "x"))


# Running.

OPEN = AttemptRecord(token=3, worker="w@here:77", host="here", begun=NOW - 600, from_iteration=40)
RUNS = {
    "state": JobState.RUNNING, "token": 3, "owner": "w@here:77", "host": "here", "iteration": 70, "seq": 1,
    "progress": {"it_s": 10.0, "eta_s": 600.0}, "attempts": [OPEN], "workers": [WORKER], "saved": 40,
}  # fmt: skip


def test_running_says_where_how_safe_and_what_a_kill_would_cost():
    found = told(**RUNS, lease=30.0, lease_left=28.0)
    assert found.why[:4] == (
        "attempt 3 runs on w@here (host here, cpu), for 10 min",
        "its lease is good for 28 s more, and is renewed every few seconds",
        "iteration 70 of 1000, 10.0 it/s, about 10 min left",
        "saved up to iteration 40: a kill now would cost 30 iterations, about 3 s",
    )
    assert found.attempts[0][4:] == ("10 min", "runs") and not found.log
    unsaved = told(**{**RUNS, "saved": None, "seq": None})
    assert "nothing is saved yet: a kill now would cost all of it" in unsaved.why


def test_running_without_its_worker():
    late = told(**RUNS, lease=30.0, lease_left=12.0)
    assert (
        "has not renewed the lease for 18 s; where that goes on, the job is taken over in 12 s" in late.why[1]
    )
    gone = {**RUNS, "workers": [replace(WORKER, name="v@here")], "updated": NOW - 90}
    lost = told(**gone, lease=30.0, lease_left=-12.0)
    assert lost.why[1] == (
        "its lease ran out 12 s ago: the worker is gone or cut off; another worker takes over soon"
    )
    assert "not announced any more" in lost.why[2]
    assert "Redis has heard nothing of it for 90 s" in lost.why
    alone = told(**{**RUNS, "workers": []}, lease=30.0, lease_left=-12.0)
    assert "no other worker can take over" in alone.why[1]
    assert alone.next == "start a worker on here: srqueue up"


def test_running_under_a_wish_or_on_a_worker_that_ends():
    assert "asked to pause" in text_of(told(**RUNS, wish="pause"))
    yields = told(**RUNS, wish="preempt", yields_to="other 00wxyz (priority 9)", preemptions=2)
    assert "it was asked to give way to other 00wxyz (priority 9), and does so" in text_of(yields)
    assert "it has given way 2 times before" in yields.why
    ending = told(**{**RUNS, "workers": [replace(WORKER, draining="hand_over")]})
    assert "its worker was asked to end: it hands its job over" in text_of(ending)


def test_running_where_its_folder_says_otherwise():
    ahead = told(**RUNS, evidence=evidence(token=4))
    assert "holds attempt 4, of which Redis does not know" in text_of(ahead)
    ended = told(**RUNS, evidence=evidence(Outcome(StopReason.DIVERGED, "", 70), token=3))
    assert "its trainer has ended (diverged)" in text_of(ended)
    quiet = told(**RUNS, evidence=evidence(token=3, alive=NOW - 200))
    assert "its trainer gave no sign of life for 3 min" in text_of(quiet)


# Ended, and run folders.


def evidence(outcome=None, token=2, alive=None, warnings=("a picture is bad",), changed=None, **more):
    attempt = AttemptEvidence(
        token=token, begun=NOW - 50, resumed="ckpt-000003-it40-t1", outcome=outcome, host="here", reached=44,
        warnings=warnings, changed=changed, last_lines=("x", "boom"), log=Path("/runs/x/log"), alive=alive,
    )  # fmt: skip
    return Evidence(Path("/runs/01J0000000000000000000ABCD"), (attempt,), 1, name="cc0", **more)


def test_a_failed_job_shows_its_last_lines_and_what_lies_in_its_folder():
    third = replace(CRASHED, token=2, failures=3, state=JobState.FAILED)
    damaged = "checkpoint ckpt-000004-it50-t1 is damaged (the payload's SHA-256 is wrong); set aside as bad-1"
    found = told(
        state=JobState.FAILED, reason=StopReason.NO_PROGRESS, message="three attempts", attempts=[third],
        finished=NOW - 60, run_dir="/runs/x", seq=2, failures=3,
        evidence=evidence(
            newest=CheckpointName(3, 40, 1), saved=120.0, set_aside=("bad-1", "bad-2"), decided=7,
            decisions=("iteration 9: X did y (z)",), bad_pictures=("a.png", "b.png", "c.png", "d.png"),
            warnings=(damaged, "a picture is bad", "the arithmetic has changed (threads)"),
            changed="threads 1 -> 2",
        ),
    )  # fmt: skip
    assert found.why == (
        "failed 60 s ago: three attempts",
        "that was the end of attempt 2 on w@here",
        "newest checkpoint: ckpt-000003-it40-t1, saved 2 min ago (Redis knows of number 2)",
        "set aside: checkpoint ckpt-000004-it50-t1 is damaged (the payload's SHA-256 is wrong); "
        "it is kept as bad-1",
        "set aside: bad-2 was damaged",
        "pictures left out, since they cannot be read: a.png, b.png, c.png and 1 more",
        "decided on the way: 7 times, the last: iteration 9: X did y (z)",
        "attempt 2 computes otherwise: threads 1 -> 2",
        "attempt 2 warned: a picture is bad",
    )
    assert found.log == ("x", "boom") and found.log_file == "/runs/x/attempts/2/log"
    assert found.next == f"{REMEDIES[StopReason.CRASHED]}; then: srqueue retry 00abcd"


def test_what_was_asked_while_it_did_not_run_is_no_attempts_end():
    found = told(state=JobState.PAUSED, reason=StopReason.PAUSED, message="paused", attempts=[CRASHED])
    assert found.why[0] == "paused 2 s ago"
    assert found.why[1].startswith("that was asked while it did not run; attempt 1 had ended before: crashed")


def test_a_finished_job_names_its_model():
    done = Outcome(StopReason.COMPLETED, "all iterations done", 1000, export="export/m.safetensors")
    found = told(state=JobState.SUCCEEDED, reason=StopReason.COMPLETED, evidence=evidence(done))
    assert "its model: /runs/01J0000000000000000000ABCD/export/m.safetensors" in found.why


def test_never_more_than_a_page():
    attempts = [replace(CRASHED, token=n) for n in range(1, 101)]
    many = tuple(f"warning {n}" for n in range(90))
    found = told(
        state=JobState.FAILED, reason=StopReason.CRASHED, attempts=attempts, run_dir="/runs/x",
        evidence=evidence(warnings=many, set_aside=many, bad_pictures=many, decisions=many[:3], decided=90),
    )  # fmt: skip
    assert len(found.attempts) == ATTEMPTS_SHOWN and found.earlier == 100 - ATTEMPTS_SHOWN
    assert len(found.why) + len(found.attempts) + len(found.log) < 40
    assert found.attempts[-1][0] == "100"


def test_a_run_folder_alone_is_explained():
    killed = explain_folder(evidence(alive=NOW - 30), NOW)
    assert "no outcome" in killed.why[0] and "iteration 44" in killed.why[0] and killed.log == ("x", "boom")
    assert "its last sign of life: 30 s ago" in killed.why[0]
    ended = explain_folder(evidence(Outcome(StopReason.DIVERGED, "the loss is nan", 44)), NOW)
    assert ended.why[0] == "its last attempt (2) ended: diverged: the loss is nan"
    assert "lower train.optim_g.lr" in ended.next
    paused = explain_folder(evidence(Outcome(StopReason.PAUSED, "paused", 44), removed=True), NOW)
    assert paused.why[:2] == (
        "its last attempt (2) ended: paused",
        "its job was removed from the queue, and these files were kept",
    )
    assert not paused.log and paused.next == "srqueue resume 00abcd"
    assert explain_folder(Evidence(Path("/runs/x")), NOW).why == ("no attempt was made",)
