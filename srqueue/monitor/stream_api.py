"""Server-sent events: the page of a job, or the list, is told what changed."""

from __future__ import annotations

import asyncio
import json
import re

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from srqueue.monitor.backend import Backend
from srqueue.monitor.handlers import JsonHandler
from srqueue.monitor.watching import LIST, Watch, Watcher

_QUIET_S = 15.0
"""After so long without news a comment is sent, so that no proxy closes the stream."""
_ID = re.compile(r"[0-9A-Za-z]{26}\Z")


class StreamHandler(JsonHandler):
    """`?job=ID` or `?list=1`: events job, curves, list; `note` says what is wrong, or (null) no more."""

    watcher: Watcher | None = None

    def initialize(self, backend: Backend, watch: Watch) -> None:  # type: ignore[override]
        """`watch`: the one of the process."""
        super().initialize(backend)
        self.watch = watch

    async def get(self) -> None:
        """Until the reader goes away."""
        job_id = self.get_query_argument("job", "")
        if job_id and not _ID.match(job_id):
            raise HTTPError(400, reason="job must be a full id")
        self.watcher = self.watch.add(job_id.upper() or LIST)
        if self.watcher is None:
            raise HTTPError(503, reason="too many pages are open: poll")
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("X-Accel-Buffering", "no")
        try:
            await self._send("retry: 3000\n: hello\n\n")
            while True:
                try:
                    event, data = await asyncio.wait_for(self.watcher.news.get(), _QUIET_S)
                except TimeoutError:
                    await self._send(": quiet\n\n")
                    continue
                await self._send(f"event: {event}\ndata: {json.dumps(data, default=str)}\n\n")
        except StreamClosedError:
            return
        finally:
            self.watch.remove(self.watcher)

    def on_connection_close(self) -> None:
        """A reader that went away is told no more."""
        if self.watcher is not None:
            self.watch.remove(self.watcher)
            self.watcher.news.put_nowait(("end", None))

    async def _send(self, text: str) -> None:
        self.write(text)
        await self.flush()
