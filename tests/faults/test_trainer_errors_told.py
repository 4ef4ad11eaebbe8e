"""A run folder that was spoilt is told without a traceback."""

import subprocess
import sys

import pytest

from tests.faults.by_hand import ENVIRONMENT


@pytest.mark.parametrize(
    ("spoil", "code", "message"),
    [
        (lambda job: (job.run.attempt(1).attempt_file).unlink(), 2, "no such attempt"),
        (lambda job: job.run.spec_file.write_text("{}"), 0, "the spec does not hold"),
    ],
)
def test_a_user_sees_no_traceback(job, spoil, code, message):
    process = job.start(1)
    process.kill()
    process.wait()
    spoil(job)
    argv = [sys.executable, "-m", "workers.trainer", str(job.run.path), "--token", "1"]
    done = subprocess.run(argv, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
