"""Trainers forked from a process that has imported torch already, as `srqueue verify-resume` makes them.

Each is a process of its own, as `python -m workers.trainer` is, but for the seconds of the import.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing.reduction import DupFd

import workers.verifying.attempts  # noqa: F401 - says what is imported before the forks

_context = multiprocessing.get_context("forkserver")


class Forked:
    """A trainer; of subprocess.Popen what the tests use. `argv` begins with -m MODULE or -c CODE."""

    def __init__(self, argv, stdin, log, env, cwd):
        reader, writer = os.pipe() if stdin else (os.open(os.devnull, os.O_RDONLY), None)
        self.stdin = None if writer is None else os.fdopen(writer, "wb")
        with log.open("wb") as file:
            given = (argv, _Passed(reader), _Passed(file.fileno()), env, str(cwd))
            self._process = _context.Process(target=_work, args=given)
            self._process.start()
        os.close(reader)
        self.pid = self._process.pid

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self.poll() is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout)
        return self.poll()

    def kill(self):
        if self.poll() is None:
            self.send_signal(signal.SIGKILL)

    def send_signal(self, number):
        os.kill(self.pid, number)


class _Passed:
    """A file descriptor that the new process gets."""

    def __init__(self, number):
        self.number = number

    def __reduce__(self):
        return _received, (DupFd(self.number),)


def _received(sent):
    return sent.detach()


def _work(argv, stdin, log, env, cwd):
    """The process."""
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for given, descriptor in ((stdin, 0), (log, 1), (log, 2)):
        os.dup2(given, descriptor)
    os.close(stdin)
    os.close(log)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    how, what, *sys.argv[1:] = argv
    if how == "-c":
        exec(what, {"__name__": "__main__"})
    else:
        from workers.trainer.__main__ import main

        assert what == "workers.trainer"
        sys.exit(main())
