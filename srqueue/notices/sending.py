"""Sending: Apprise does it, in a child process with a time limit."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from srqueue.errors import UsageError
from srqueue.notices.addresses import redacted, split
from srqueue.notices.notice import Notice
from srqueue.settings import Settings
from srqueue.variables import SECRET_VARIABLES

SECONDS = 30.0
"""For one notice to all addresses; then the child is ended."""
_CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Sent:
    """What became of a notice at one address, which is shown without its secrets."""

    address: str
    well: bool
    result: str


def installed() -> bool:
    """Whether notices can be sent here."""
    return find_spec("apprise") is not None


def send(settings: Settings, notice: Notice, seconds: float = SECONDS) -> list[Sent]:
    """Sends to every address of the settings, and to no other. Never raises for an address.

    Raises UsageError where Apprise is not installed. Takes `seconds` at most, and one more.
    """
    picture = str(notice.picture.absolute()) if notice.picture else None
    return _ask(settings, {"title": notice.title, "body": notice.body, "picture": picture}, seconds)


def addresses(settings: Settings) -> list[Sent]:
    """The addresses, and whether Apprise knows what they are; nothing is sent."""
    return _ask(settings, {"title": None, "body": "", "picture": None}, SECONDS)


def _ask(settings: Settings, told: dict[str, Any], seconds: float) -> list[Sent]:
    if not installed():
        raise UsageError("notices need Apprise", hint="pip install 'srqueue[notices]'")
    urls = split(settings.notify.get_secret_value()) if settings.notify else []
    if not urls:
        return []
    lines = _run(
        json.dumps({**told, "addresses": urls, "private": settings.notify_private}).encode(), seconds
    )
    return _results(urls, lines, seconds)


def _run(question: bytes, seconds: float) -> Sequence[bytes]:
    """What the child answered in time."""
    environment = {key: value for key, value in os.environ.items() if key not in SECRET_VARIABLES}
    child = subprocess.Popen(
        [sys.executable, "-P", str(_CHILD)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=environment, start_new_session=True,
    )  # fmt: skip
    try:
        answer, _ = child.communicate(question, timeout=seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        answer, _ = child.communicate()
    return answer.splitlines()


def _results(urls: Sequence[str], lines: Sequence[bytes], seconds: float) -> list[Sent]:
    found: dict[int, Sent] = {}
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, IndexError, TypeError):
            raw = json.loads(line)
            found[raw["n"]] = Sent(redacted(urls[raw["n"]]), bool(raw["well"]), str(raw["result"]))
    silent = f"no answer within {seconds:g} s"
    return [found.get(n) or Sent(redacted(url), False, silent) for n, url in enumerate(urls)]
