"""What an ended trainer left to say: the end of its log, the stack of a crash, the kernel's count."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

_LINES = 15
_BYTES = 32768
_MOST = 4000
_FATAL = "Fatal Python error"
_CURRENT = "Current thread"
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<name>\S+)')
_MODULES = "Extension modules:"
_IN_WORDS = {
    signal.SIGSEGV: "segmentation fault",
    signal.SIGBUS: "bus error",
    signal.SIGABRT: "it aborted itself",
    signal.SIGFPE: "arithmetic error",
    signal.SIGILL: "illegal instruction",
}


def last_lines(log: Path) -> str:
    """The end of a log; of a crash in native code the stack of the thread that crashed."""
    lines = [line for line in _end(log).splitlines() if not line.startswith(_MODULES)]
    fatal = [number for number, line in enumerate(lines) if line.startswith(_FATAL)]
    if not fatal:
        return "\n".join(lines[-_LINES:])[-_MOST:].strip()
    crash = lines[fatal[-1] :]
    threads = [number for number, line in enumerate(crash) if line.startswith(_CURRENT)]
    return "\n".join([crash[0], *crash[threads[-1] if threads else 1 :][:_LINES]])[:_MOST].strip()


def where_it_stood(log: Path) -> str | None:
    """`name (file:line)` of the innermost frame of the newest stack that faulthandler wrote into the log."""
    text = _end(log)
    current = text.rfind(_CURRENT)
    match = _FRAME.search(text, current) if current >= 0 else None
    return f"{match['name']} ({Path(match['file']).name}:{match['line']})" if match else None


def how_it_ended(status: int, forced: bool = False, short_of_memory: bool = False) -> str:
    """An exit status in words; `forced`: it was ended by us, so nobody need wonder why."""
    if status >= 0:
        return f"the trainer ended with exit status {status}"
    try:
        number = signal.Signals(-status)
    except ValueError:
        return f"the trainer was ended by signal {-status}"
    hint = f" ({_IN_WORDS[number]})" if number in _IN_WORDS else ""
    if number == signal.SIGKILL and not forced:
        hint = " (out of memory: the kernel has killed for it)" if short_of_memory else " (out of memory?)"
    return f"the trainer was ended by {number.name}{hint}"


def oom_kills(system: Path = Path("/")) -> int:
    """How often the kernel has ended a process for lack of memory, among those that share this one's limit
    (control group) where it counts them, else on this machine; 0 where it does not say."""
    for file in (*_counters(system), system / "proc/vmstat"):
        try:
            lines = file.read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))
        except (OSError, ValueError, IndexError, StopIteration):
            continue
    return 0


def _counters(system: Path) -> list[Path]:
    """Where control groups count, from this process's own upwards; of version 2, then of version 1."""
    try:
        lines = (system / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    files = []
    for root, name, told in (
        (system / "sys/fs/cgroup", "memory.events", ("0::",)),
        (system / "sys/fs/cgroup/memory", "memory.oom_control", (":memory:",)),
    ):
        for line in lines:
            if any(word in line for word in told):
                own = root / line.split(":", 2)[2].lstrip("/")
                files += [folder / name for folder in (own, *own.parents) if folder.is_relative_to(root)]
    return files


def _end(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
