"""Every address of the Training pages."""

from __future__ import annotations

from typing import Any

from tornado.routing import URLSpec

from srqueue.monitor import acts_api, campaign_api, job_api, list_api, pages, stream_api
from srqueue.monitor.backend import Backend
from srqueue.monitor.campaign_view import Bests
from srqueue.monitor.handlers import NothingHere
from srqueue.monitor.job_view import ACTS
from srqueue.monitor.metrics_page import MetricsHandler, collector
from srqueue.monitor.static_files import PLOTLY, STATIC, StaticFiles, plotly_folder
from srqueue.monitor.verdict_view import ACTS as CAMPAIGN_ACTS
from srqueue.monitor.verdict_view import Verdicts
from srqueue.monitor.watching import Watch

_ID = r"([0-9A-Za-z]{26})"
_NAME = r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})"


def routes(backend: Backend) -> list[URLSpec]:
    """In the order in which they are tried."""
    job = rf"/training/api/job/{_ID}"
    found = [
        _url(r"/training", pages.ListPage, backend, "training"),
        _url(r"/training/", pages.ListPage, backend),
        _url(rf"/training/campaign/{_NAME}", pages.CampaignPage, backend),
        _url(rf"/training/job/{_NAME}", pages.JobPage, backend),
        _url(r"/training/compare", pages.ComparePage, backend),
        _url(r"/training/api/jobs", list_api.JobsHandler, backend),
        URLSpec(
            r"/training/api/campaigns", campaign_api.CampaignsHandler, {"backend": backend, "bests": Bests()}
        ),
        URLSpec(
            rf"/training/api/campaign/{_NAME}",
            campaign_api.CampaignHandler,
            {"backend": backend, "verdicts": Verdicts()},
        ),
        _url(rf"/training/api/campaign/{_NAME}/report", campaign_api.CampaignReportHandler, backend),
        _url(
            rf"/training/api/campaign/{_NAME}/({'|'.join(CAMPAIGN_ACTS)})",
            campaign_api.CampaignActHandler,
            backend,
        ),
        _url(r"/training/api/diff", job_api.DiffHandler, backend),
        URLSpec(
            r"/training/api/stream", stream_api.StreamHandler, {"backend": backend, "watch": Watch(backend)}
        ),
        _url(job, job_api.JobHandler, backend),
        _url(rf"{job}/curves", job_api.CurvesHandler, backend),
        _url(rf"{job}/events", job_api.EventsHandler, backend),
        _url(rf"{job}/log", job_api.LogHandler, backend),
        _url(rf"{job}/pictures", job_api.PicturesHandler, backend),
        _url(
            rf"{job}/picture/(\d{{1,3}})/(bicubic|original|\d{{1,9}})\.png", job_api.PictureHandler, backend
        ),
        _url(rf"{job}/report", job_api.ReportHandler, backend),
        _url(rf"{job}/({'|'.join(ACTS)})", acts_api.ActHandler, backend),
        _url(r"/training/api/.*", NothingHere, backend),
    ]
    if (folder := plotly_folder()) is not None:
        at = {"path": str(folder)}
        found.append(URLSpec(rf"/training/static/({PLOTLY.replace('.', '[.]')})", StaticFiles, at))
    return [
        *found,
        URLSpec(r"/training/static/(.*)", StaticFiles, {"path": str(STATIC)}),
        _url(r"/training/.*", pages.NoPage, backend),
        # Before Flower's own: the store is asked in a thread, and the password too.
        URLSpec(r"/metrics", MetricsHandler, {"backend": backend, "collector": collector()}),
    ]


def _url(pattern: str, handler: Any, backend: Backend, name: str | None = None) -> URLSpec:
    return URLSpec(pattern, handler, {"backend": backend}, name=name)
