"""The API of one job: everything that is read of it."""

from __future__ import annotations

from srqueue.monitor import curves
from srqueue.monitor.backend import run_folder
from srqueue.monitor.handlers import JsonHandler
from srqueue.monitor.job_pictures import picture, pictures
from srqueue.monitor.job_view import differing, job_view, log_tail
from srqueue.monitor.refusals import NotThere
from srqueue.monitor.signing import why_not

# A report is one file with scripts of its own: it may do nothing but show itself.
REPORT_POLICY = (
    "sandbox allow-scripts allow-downloads allow-popups; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data: blob:; font-src data:"
)


class JobHandler(JsonHandler):
    """Card, spec, attempts, explanation, acts."""

    async def get(self, job_id: str) -> None:
        """One job."""
        record = await self.backend.ask(self.backend.job, job_id)
        view = await self.backend.ask(job_view, self.backend.store, record)
        refused = why_not(self.application.options)
        self.say(
            {
                **view,
                "may_act": refused is None,
                "why_not": refused and f"{refused.message}; {refused.hint}",
            }
        )


class CurvesHandler(JsonHandler):
    """Every figure over iterations and hours."""

    async def get(self, job_id: str) -> None:
        """The history, or that nothing came."""
        record = await self.backend.ask(self.backend.job, job_id)
        after = self.get_query_argument("after", "")
        self.say(await self.backend.ask(curves.curves, self.backend.store, record, after))


class EventsHandler(JsonHandler):
    """What happened."""

    async def get(self, job_id: str) -> None:
        """Events after a position."""
        record = await self.backend.ask(self.backend.job, job_id)
        after = self.get_query_argument("after", "")
        self.say(await self.backend.ask(curves.events, self.backend.store, record, after))


class LogHandler(JsonHandler):
    """What its trainers printed."""

    async def get(self, job_id: str) -> None:
        """The last lines."""
        record = await self.backend.ask(self.backend.job, job_id)
        self.say({"lines": await self.backend.ask(log_tail, self.backend.store, record)})


class PicturesHandler(JsonHandler):
    """Which pictures there are."""

    async def get(self, job_id: str) -> None:
        """Crops and iterations."""
        record = await self.backend.ask(self.backend.job, job_id)
        self.say(await self.backend.ask(pictures, self.backend.store, record))


class PictureHandler(JsonHandler):
    """One picture."""

    async def get(self, job_id: str, crop: str, what: str) -> None:
        """A PNG."""
        record = await self.backend.ask(self.backend.job, job_id)
        content = await self.backend.ask(picture, self.backend.store, record, int(crop), what)
        self.set_header("Content-Type", "image/png")
        self.set_header("Cache-Control", "private, no-cache")  # asked for again by its ETag
        self.finish(content)


class ReportHandler(JsonHandler):
    """The report that an ended job has."""

    async def get(self, job_id: str) -> None:
        """HTML, where it is on this machine."""
        record = await self.backend.ask(self.backend.job, job_id)
        run = run_folder(record)
        if run is None:
            where = f"its run folder is on {record.host}" if record.host else "it has no run folder"
            raise NotThere(
                f"the report is not on this machine: {where}", hint="srqueue report JOB makes one there"
            )
        try:
            content = await self.backend.ask((run.path / "report.html").read_bytes)
        except OSError:
            raise NotThere("this job has no report yet", hint=f"srqueue report {record.short_id}") from None
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", REPORT_POLICY)
        self.finish(content)


class DiffHandler(JsonHandler):
    """Two specs beside each other."""

    async def get(self) -> None:
        """What differs."""
        records = [await self.backend.ask(self.backend.job, self.get_query_argument(n)) for n in ("a", "b")]
        self.say({"rows": differing(*records)})
