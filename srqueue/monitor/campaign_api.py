"""The API of campaigns."""

from __future__ import annotations

from srqueue.monitor.acts_api import ActHandler
from srqueue.monitor.backend import Backend
from srqueue.monitor.campaign_view import Bests, campaign, campaigns
from srqueue.monitor.handlers import JsonHandler
from srqueue.monitor.job_api import REPORT_POLICY
from srqueue.monitor.refusals import NotThere
from srqueue.monitor.signing import only_shows
from srqueue.monitor.verdict_view import Verdicts, act, from_file


class CampaignsHandler(JsonHandler):
    """The largest campaigns."""

    def initialize(self, backend: Backend, bests: Bests) -> None:  # type: ignore[override]
        """`bests`: the one of the process."""
        super().initialize(backend)
        self.bests = bests

    async def get(self) -> None:
        """Counts and best PSNR of each."""
        self.say({"campaigns": await self.backend.ask(campaigns, self.backend.store, self.bests)})


class CampaignHandler(JsonHandler):
    """One campaign."""

    def initialize(self, backend: Backend, verdicts: Verdicts) -> None:  # type: ignore[override]
        """`verdicts`: those of the process."""
        super().initialize(backend)
        self.verdicts = verdicts

    async def get(self, name: str) -> None:
        """Its matrix and leaderboard, and what its file brings: stages, verdict, acts."""
        found = await self.backend.ask(campaign, self.backend.store, name)
        file = await self.backend.ask(from_file, self.backend.store, self.verdicts, name)
        reason = only_shows(self.application.options)
        there = self.backend.settings.campaign_report(name).is_file()
        self.say({**found, "file": file, "may_act": reason is None, "why_not": reason, "report": there})


class CampaignReportHandler(JsonHandler):
    """The report that a campaign has left."""

    async def get(self, name: str) -> None:
        """HTML, where it is on this machine."""
        try:
            content = await self.backend.ask(self.backend.settings.campaign_report(name).read_bytes)
        except OSError:
            raise NotThere("there is no report of it here", hint=f"srqueue campaign report {name}") from None
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", REPORT_POLICY)
        self.finish(content)


class CampaignActHandler(ActHandler):
    """pause, resume, cancel, retry: allowed to whom acts on jobs are."""

    async def post(self, name: str, verb: str) -> None:  # type: ignore[override]
        """Does it; answers with what came of it."""
        self._body()
        self.say({"text": await self.backend.ask(self.audited, act, self.backend.client, name, verb)})
