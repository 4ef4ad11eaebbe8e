"""What all pages share: the store, the client for acts, and threads for what would block Tornado's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from srqueue.errors import UsageError
from srqueue.monitor.refusals import NotThere
from srqueue.queue.client import Client
from srqueue.run.folder import RunDir
from srqueue.settings import Settings
from srqueue.store.connection import Connection
from srqueue.store.record import JobRecord
from srqueue.store.run_folders import run_of
from srqueue.store.store import Store

_P = ParamSpec("_P")
_T = TypeVar("_T")

_THREADS = 8
"""Calls of the store at a time; each ends within the seconds that an answer may take."""


class Backend:
    """Connects when first asked, and anew after an outage: Flower starts without a store, too."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = Store(Connection(settings))
        self.client = Client(settings)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="training")

    async def ask(self, function: Callable[_P, _T], *args: _P.args, **more: _P.kwargs) -> _T:
        """What `function` returns, called in a thread."""
        call: Callable[[], Any] = partial(function, *args, **more)
        answer: _T = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        return answer

    def job(self, job_id: str) -> JobRecord:
        """The record of a full id. Raises NotThere."""
        try:
            return self.store.get(job_id.upper())
        except UsageError as error:
            raise NotThere(error.message, hint="it may have been removed; see the list of jobs") from None


def run_folder(record: JobRecord) -> RunDir | None:
    """The job's run folder where it is on this machine."""
    run = run_of(record)
    return run if run and run.spec_file.is_file() else None
