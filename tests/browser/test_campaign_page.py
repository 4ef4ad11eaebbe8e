"""The page of a campaign from a file: its verdict, its plots, its acts."""

import statistics

import pytest

from srqueue.campaign.spec import campaign_of
from srqueue.queue.campaigns import CampaignClient
from srqueue.run.outcome import Outcome
from srqueue.run.reasons import StopReason
from srqueue.run.scores import PictureScore, Scores
from tests.browser.conftest import SIGNED_IN
from tests.integration.nights import TINY

HOSTILE = "<img src=x onerror=alert(1)>"
PICTURES = [24.0, 27.5, 29.0, 31.0, 33.5, 26.0]


@pytest.fixture(scope="module")
def campaign(stack):
    """Two rates with two seeds that have ended, for a device that no worker here has; a stage waits."""
    verbs = CampaignClient(stack.client)
    base = {**TINY, "compute": {**TINY["compute"], "device": "cuda"}}
    stages = {
        "first": {"matrix": {"train.optim_g.lr": [1e-3, 2e-3], "seed": [1, 2]}},
        "then": {"base": {"train.total_iter": 60}, "after": "first"},
    }
    spec = campaign_of({"base": base, "stages": stages, "description": HOSTILE}, "night", "night")
    verbs.submit(spec)
    store = stack.client.store
    for by in (0.0, 0.02, 0.3, 0.31):
        claim = store.claim("w:1", "h", ["cuda"], 30, {"r": "/runs"})
        rows = tuple(
            PictureScore(f"{i}.png", v + by, 0.9, v, 25.0, 0.8, 24.0) for i, v in enumerate(PICTURES)
        )
        store.put_scores(claim.record.id, claim.token, Scores(pictures=rows, count=6, parameters=9))
        mean = statistics.fmean(p.psnr_y for p in rows)
        metrics = {"best/psnr": mean, "bicubic/psnr": 25.0, "seconds": 1800.0 + 100 * by}
        store.finish(
            claim.record.id, claim.token, Outcome(StopReason.COMPLETED, HOSTILE, 40, metrics=metrics)
        )
    return verbs


def test_the_verdict_is_there_and_can_be_read(open_page, campaign):
    page = open_page("/campaign/night")
    board = page.get_by_role("region", name="Leaderboard on tiny")
    board.wait_for()
    assert "more than noise" in board.inner_text() and "first: lr 0.002" in board.inner_text()
    assert "leads with" in page.locator("#campaign-verdict").inner_text()
    page.wait_for_selector(".campaign-front .scatterlayer path")
    assert page.locator(".campaign-front").count() == 2, "against hours and parameters; no pace was measured"
    assert "then" in page.locator("#campaign-stages").inner_text()
    assert page.locator("#srq-matrix td.srq-cell").count() == 1


def test_it_is_paused_and_resumed_by_a_click_that_is_asked_for_once_more(open_page, campaign, wait_until):
    page = open_page("/campaign/night")
    page.locator("#campaign-acts [data-act=pause]").click()
    page.locator("#act-no").click()
    assert campaign.records.get("night").state == "active"
    page.locator("#campaign-acts [data-act=pause]").click()
    page.locator("#act-yes").click()
    page.wait_for_selector("#campaign-acts [data-act=resume]")
    wait_until(lambda: campaign.records.get("night").state == "paused", "it is paused")
    assert "no cell begins any more" in page.locator("#campaign-said").inner_text()
    page.locator("#campaign-acts [data-act=resume]").click()
    page.locator("#act-yes").click()
    wait_until(lambda: campaign.records.get("night").state == "active", "it goes on")


def test_on_a_small_screen_nothing_runs_over(open_page, campaign):
    page = open_page("/campaign/night", **SIGNED_IN, viewport={"width": 390, "height": 800})
    page.get_by_role("region", name="Leaderboard on tiny").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
