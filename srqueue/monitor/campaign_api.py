"""The API of campaigns."""

from __future__ import annotations

from srqueue.monitor.backend import Backend
from srqueue.monitor.campaign_view import Bests, campaign, campaigns
from srqueue.monitor.handlers import JsonHandler


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

    async def get(self, name: str) -> None:
        """Its matrix and leaderboard."""
        self.say(await self.backend.ask(campaign, self.backend.store, name))
