"""The API of campaigns."""

from __future__ import annotations

from srqueue.monitor.acts_api import ActHandler
from srqueue.monitor.backend import Backend
from srqueue.monitor.campaign_view import Bests, campaign, campaigns
from srqueue.monitor.handlers import JsonHandler
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
        self.say({**found, "file": file, "may_act": reason is None, "why_not": reason})


class CampaignActHandler(ActHandler):
    """pause, resume, cancel, retry: allowed to whom acts on jobs are."""

    async def post(self, name: str, verb: str) -> None:  # type: ignore[override]
        """Does it; answers with what came of it."""
        self._body()
        self.say({"text": await self.backend.ask(act, self.backend.client, name, verb)})
