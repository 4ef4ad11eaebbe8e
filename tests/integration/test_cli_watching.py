"""Looking on from a terminal and from a pipe, while real jobs train."""

# ruff: noqa: F811, F401
import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from srqueue.run.folder import RunDir
from tests.integration.test_cli_training import (
    SMALL,
    cli,
    read_until,
    with_stack,
)

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
COLOURS = re.compile(r"\x1b\[(?:[0-9;]*;)?(?:3[0-8]|4[0-8]|9[0-7])(?:;[0-9;]*)?m")


class Terminal:
    """A command on a terminal of 140 columns."""

    def __init__(self, cli, *args, **env):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
        env = {**cli.env, "TERM": "xterm-256color", **env}
        for name in ("COLUMNS", "LINES"):
            env.pop(name, None)
        argv = [sys.executable, "-m", "srqueue.cli", *args]
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True
        )
        os.close(slave)
        self.raw = ""

    def until(self, mark, timeout=90):
        """The text so far, once `mark` is in it; None for: once the command has ended."""
        deadline = time.monotonic() + timeout
        while mark is None or not re.search(mark, self.text):
            assert time.monotonic() < deadline, f"{mark!r} never came: {self.text[-3000:]}"
            try:
                data = os.read(self._master, 65536)
            except OSError:  # the other end is closed
                data = b""
            if not data:
                assert mark is None, f"it ended without {mark!r}: {self.text[-3000:]}"
                break
            self.raw += data.decode(errors="replace")
        return self.text

    @property
    def text(self):
        return ESCAPES.sub("", self.raw)

    def end(self):
        self.until(None)
        os.close(self._master)
        return self.process.wait(30)


@pytest.fixture
def start(with_stack):
    """Starts commands, and ends those that a failed test leaves."""
    started = []

    def start(*args):
        started.append(with_stack.start(*args))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def submit(cli, name, iterations, seed, *more):
    args = ("--iterations", str(iterations), "--name", name, "--seed", str(seed), *more)
    return cli("submit", "tiny", *SMALL, *args).stdout.strip()


def record(cli, job):
    return json.loads(cli("show", job, "--json").stdout)


def test_a_terminal_shows_a_job_with_its_curves_and_leaves_it_alone(with_stack):
    cli = with_stack
    job = submit(cli, "seen", 1_000_000, 11)
    watching = Terminal(cli, "watch", "seen", "--plot", NO_COLOR="1")
    shown = watching.until(r"loss  [▁-█]{3,}\s+\d\.\d+ to \d\.\d+")
    assert re.search(r"it \d+/1000000   [\d.]+ it/s", shown)
    assert re.search(r"loss over (thousands of )?iterations", watching.until("over .*iterations"))
    watching.process.send_signal(signal.SIGINT)
    assert watching.end() == 130
    assert "the job goes on without you" in watching.text
    assert not COLOURS.search(watching.raw)

    # Who else looks: all that runs, and the machine that it runs on.
    everything = Terminal(cli, "watch")
    shown = everything.until(rf"{job[-6:].lower()}\s+seen\s+training\s+\d+% +\d+/1000000\s+[\d.]+")
    assert "1 running" in everything.until("1 running") and COLOURS.search(everything.raw) is None
    top = Terminal(cli, "top")
    top.until(rf"worker@\S+\s.*\bcpu\s+\d+%\s+[\d.]+/[\d.]+ GiB.*seen {job[-6:].lower()}")
    top.process.send_signal(signal.SIGINT)
    assert top.end() == 130
    (worker,) = json.loads(cli("top", "--json").stdout)
    assert worker["load"]["memory_mib"][1] > 0 and worker["jobs"][0]["id"] == job
    lines = cli("top").stdout.splitlines()
    assert lines[0].split()[:4] == ["WORKER", "HOST", "DEVICE", "CPU"] and "seen" in lines[1]
    assert lines[-1] == "1 worker; 1 running"

    cli("cancel", "seen")
    assert everything.end() == 1, "cancelled is not succeeded"
    assert "1 cancelled" in everything.text


def test_a_restart_is_followed_and_every_attempt_tells_what_it_printed(with_stack, start):
    cli = with_stack
    submit(cli, "fallen", 1_000_000, 12, "--set", "logger.save_checkpoint_seconds=1")
    watching, following = start("watch", "fallen"), start("logs", "-f", "fallen")
    read_until(following, r"checkpoint: ")
    run = record(cli, "fallen")["run_dir"]
    os.kill(RunDir(Path(run)).attempt(1).read()["trainer"]["pid"], signal.SIGKILL)
    told = "".join(read_until(following, r"t2 .*restored"))
    assert re.search(
        r"-- the trainer printed in attempt 1 \(.*/attempts/1/log\):\n(\.\.\. |.*  started\n)", told
    )
    read_until(watching, "goes on from iteration")
    read_until(watching, r"training   it [1-9]")
    cli("cancel", "fallen")
    rest, _ = following.communicate(timeout=60)
    assert following.returncode == 0 and "-- the trainer printed in attempt 2" in rest
    watching.communicate(timeout=60)
    assert watching.returncode == 1

    # As from another machine: what Redis has.
    Path(run).rename(run + ".away")
    try:
        told = cli("logs", "fallen").stdout
        assert "-- the trainer printed in attempt 2, elsewhere" in told
        assert told.splitlines()[-1].endswith("  finished")
        followed = cli("logs", "-f", "fallen").stdout
        assert followed.splitlines()[-1].endswith("  finished")
        assert "the trainer printed" not in cli("logs", "fallen", "--no-trainer").stdout
    finally:
        Path(run + ".away").rename(run)


def test_a_campaign_is_watched_in_lines_and_its_end_is_the_exit_code(with_stack):
    cli = with_stack
    for seed in (21, 22):
        submit(cli, f"cell{seed}", 60, seed, "--campaign", "night")
    # A job of the campaign's name, and another of both names.
    submit(cli, "night", 60, 23)
    watched = cli("watch", "-c", "night")
    lines = watched.stdout.splitlines()
    assert lines[-1] == "2 succeeded"
    ends = [line for line in lines if "   succeeded   it 60/60   PSNR " in line]
    assert sorted(line.split()[0] for line in ends) == ["cell21", "cell22"]
    assert "\x1b" not in watched.stdout

    job = cli("watch", "night")
    assert "names a job and a campaign: this is the job" in job.stderr
    assert job.stdout.splitlines()[-1].startswith("night succeeded")
    submit(cli, "night", 60, 24)
    several = cli("watch", "night")
    assert "this is the campaign" in several.stderr and several.stdout.splitlines()[-1] == "2 succeeded"
    assert cli("watch").stdout.splitlines()[-1] in ("1 succeeded", "no job runs or waits")
    assert [r["name"] for r in json.loads(cli("watch", "-c", "night", "--json").stdout)]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["nigth"], "did you mean 'night'"),
        (["-c", "nigth"], "did you mean 'night'"),
        (["night", "-c", "night"], "name one of them"),
        (["-c", "night", "--plot"], "a plot is of one job"),
    ],
)
def test_what_cannot_be_watched_is_a_usage_error(with_stack, args, told):
    assert told in with_stack("watch", *args, code=2).stderr
