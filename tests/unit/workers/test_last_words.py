"""What a trainer that was ended leaves to say."""

import faulthandler
import os
import signal
import subprocess
import sys

import pytest

from workers.last_words import how_it_ended, last_lines, oom_kills, where_it_stood

CRASHES = """
import ctypes, faulthandler, numpy
faulthandler.enable()
print("before", flush=True)

def deep_inside():
    ctypes.string_at(0)

deep_inside()
"""


def test_an_end_is_told_in_words():
    assert how_it_ended(3) == "the trainer ended with exit status 3"
    assert how_it_ended(-signal.SIGSEGV) == "the trainer was ended by SIGSEGV (segmentation fault)"
    assert how_it_ended(-signal.SIGKILL).endswith("SIGKILL (out of memory?)")
    assert how_it_ended(-signal.SIGKILL, forced=True) == "the trainer was ended by SIGKILL"
    assert "kernel" in how_it_ended(-signal.SIGKILL, short_of_memory=True)
    assert how_it_ended(-250) == "the trainer was ended by signal 250"


def test_the_last_lines_of_a_long_log_are_few(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(b"\xff line\n" * 100_000 + b"boom\n")
    lines = last_lines(log).splitlines()
    assert lines[-1] == "boom" and len(lines) <= 15
    assert last_lines(tmp_path / "none") == ""


def test_of_a_crash_in_native_code_the_stack_is_shown(tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as file:
        done = subprocess.run([sys.executable, "-c", CRASHES], stdout=file, stderr=file)
    assert done.returncode == -signal.SIGSEGV
    told = last_lines(log)
    assert told.startswith("Fatal Python error: Segmentation fault")
    assert "in deep_inside" in told and "Extension modules" not in told
    assert where_it_stood(log).startswith(("string_at (__init__.py:", "deep_inside (<string>:"))


def test_where_a_process_stood_is_read_from_the_newest_stack(tmp_path):
    log = tmp_path / "log"
    with log.open("w") as file:
        print("no stack yet", file=file, flush=True)
        assert where_it_stood(log) is None
        faulthandler.dump_traceback(file)
    told = where_it_stood(log)
    assert told.startswith("test_where_a_process_stood_is_read_from_the_newest_stack (test_last_words.py:")
    assert where_it_stood(tmp_path / "none") is None


@pytest.mark.skipif(not os.path.exists("/proc/vmstat"), reason="only Linux counts")  # noqa: PTH110
def test_the_kernel_counts_what_it_ended():
    assert oom_kills() >= 0


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("0::/a/b", "sys/fs/cgroup/a/b/memory.events"),
        ("0::/a/b", "sys/fs/cgroup/a/memory.events"),  # b has no memory controller
        ("0::/../host/path", "sys/fs/cgroup/memory.events"),  # a container
        ("7:blkio:/x\n4:memory:/a/b", "sys/fs/cgroup/memory/a/b/memory.oom_control"),
    ],
)
def test_what_the_kernel_ended_elsewhere_on_the_machine_does_not_count(tmp_path, line, file):
    write(tmp_path / "proc/vmstat", "nr_free_pages 1\noom_kill 9\n")
    assert oom_kills(tmp_path) == 9
    write(tmp_path / "proc/self/cgroup", line + "\n")
    assert oom_kills(tmp_path) == 9
    write(tmp_path / file, "oom_group_kill 5\noom_kill 2\n")
    assert oom_kills(tmp_path) == 2
