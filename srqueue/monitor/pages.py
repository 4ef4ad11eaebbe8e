"""The pages; what they show is fetched by their scripts."""

from __future__ import annotations

from tornado.web import HTTPError, authenticated

from srqueue.monitor.handlers import PageHandler

_ID_LENGTH = 26


class ListPage(PageHandler):
    """All jobs."""

    @authenticated
    async def get(self) -> None:
        """Running, waiting, ended."""
        self.render("training.html")


class CampaignPage(PageHandler):
    """One campaign."""

    @authenticated
    async def get(self, name: str) -> None:
        """Matrix and leaderboard."""
        self.render("campaign.html", campaign=name)


class JobPage(PageHandler):
    """One job."""

    @authenticated
    async def get(self, ref: str) -> None:
        """By its id; the end of an id or a name leads there. That a job is gone, the page itself tells."""
        if len(ref) != _ID_LENGTH:
            found = await self.backend.ask(self.backend.store.resolve, ref)
            self.redirect(f"{self.base}/job/{found}")
            return
        self.render("job.html", job_id=ref.upper())


class ComparePage(PageHandler):
    """Several jobs on one plot: `?jobs=a,b,c`."""

    @authenticated
    async def get(self) -> None:
        """Their curves."""
        self.render("compare.html")


class NoPage(PageHandler):
    """Any other address below the Training pages."""

    def get(self, *_: str) -> None:
        """404."""
        raise HTTPError(404)

    def check_xsrf_cookie(self) -> None:
        """Nothing to guard."""

    post = get
