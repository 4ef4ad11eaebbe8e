"""The trainer as a process: threads, lock, stop requests, pace."""

import fcntl
import os

import pytest

from srqueue.errors import ConflictError
from srqueue.run.folder import RunDir
from srqueue.run.reasons import StopReason
from workers.trainer import pace as pace_module
from workers.trainer import process
from workers.trainer.pace import Pace
from workers.trainer.process import hold_lock, set_thread_count, threads_of
from workers.trainer.stopping import StopRequest


@pytest.mark.parametrize(
    ("spec_threads", "attempt_threads", "slots", "expected"),
    [
        ("auto", 0, 1, 1),
        ("auto", 3, 1, 3),
        (2, 3, 1, 2),
        (2, 0, 1, 2),
        (99, 0, 1, 4),
        (99, 0, 2, 2),
        (2, 0, 16, 1),
    ],
)
def test_threads_are_set_before_torch_is_there(
    monkeypatch, tmp_path, spec_threads, attempt_threads, slots, expected
):
    """Never more than the cores, of which slots have a part each."""
    monkeypatch.setattr(process, "cores", lambda: 4)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG"):
        monkeypatch.setenv(name, "99")
    run = RunDir(tmp_path / "job").create()
    run.spec_file.write_text(
        '{"compute": {"threads": %s}}' % (f'"{spec_threads}"' if spec_threads == "auto" else spec_threads)
    )
    attempt = run.write_attempt(1, None, threads=attempt_threads, slots=slots)
    assert threads_of(run, attempt) == expected
    set_thread_count(expected)
    assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == str(expected)


def test_a_run_has_one_trainer(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "_LOCK_WAIT", 0.2)
    lock = tmp_path / "lock"
    with hold_lock(lock), pytest.raises(ConflictError, match="another trainer"), hold_lock(lock):
        pass
    with (tmp_path / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_first_request_counts_but_a_lost_lease_overrides_it():
    stop = StopRequest()
    stop.ask(StopReason.PAUSED)
    stop.ask(StopReason.CANCELLED)
    assert stop.reason is StopReason.PAUSED
    stop.ask(StopReason.LEASE_LOST)
    assert stop.reason is StopReason.LEASE_LOST


@pytest.mark.parametrize(
    "line", [b"", b"nonsense", b"[]", b'{"stop": 1}', b'{"stop": "completed"}', b'{"pause": true}']
)
def test_lines_that_are_no_requests_are_ignored(line):
    stop = StopRequest()
    stop._read_line(line)
    assert stop.reason is None


REQUESTS = ["paused", "cancelled", "drained", "preempted", "yielded", "budget_spent", "lease_lost"]


@pytest.mark.parametrize("reason", REQUESTS)
def test_every_request_of_the_supervisor_is_understood(reason):
    stop = StopRequest()
    stop._read_line(f'{{"stop": "{reason}"}}'.encode())
    assert stop.reason == StopReason(reason)


def test_the_eta_counts_steps_and_validations_but_not_saves(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pace_module.time, "monotonic", lambda: now[0])
    pace = Pace(val_freq=300, print_freq=100)
    assert pace.eta(0, 1000) == 0
    now[0] += 20
    with pace.pause("save"):
        now[0] += 5
    assert pace.lap(100) == pytest.approx(5)  # 100 in 20 s
    assert pace.eta(100, 1000) == pytest.approx(180)
    now[0] += 40
    with pace.pause("validation"):
        now[0] += 7
    pace.lap(200)
    assert pace.eta(300, 1000) == pytest.approx(140 + 3 * 7)  # at 600, 900 and 1000
    assert pace.wall() == pytest.approx(72)


def test_a_report_is_due_by_iterations_and_on_a_slow_machine_by_the_clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pace_module.time, "monotonic", lambda: now[0])
    pace = Pace(val_freq=0, print_freq=50)
    assert [i for i in range(1, 120) if pace.report_due(i)] == [50, 100]
    now[0] += 11
    assert pace.report_due(7)
    pace.lap(7)
    assert not pace.report_due(8)
