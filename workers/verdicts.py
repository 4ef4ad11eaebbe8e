"""The report of a campaign that is made by itself when its last cell has ended. It never fails anything."""

from __future__ import annotations

import logging
import threading

from srqueue.errors import SrqueueError
from srqueue.report.campaign_files import write_report
from srqueue.report.page import installed
from srqueue.settings import Settings
from srqueue.store.campaigns import CampaignRecord
from srqueue.store.store import Store

log = logging.getLogger(__name__)


def report_beside(store: Store, settings: Settings, record: CampaignRecord) -> None:
    """Makes it in a thread: neither the next job nor a sweep waits for it."""
    log.info("campaign %s has ended", record.name)
    if settings.report and installed():
        threading.Thread(target=_report, args=(store, settings, record), name="campaign report").start()


def _report(store: Store, settings: Settings, record: CampaignRecord) -> None:
    try:
        log.info("report of campaign %s: %s", record.name, write_report(store, settings, record))
    except SrqueueError as error:
        log.warning("no report of campaign %s: %s", record.name, error.message)
    except Exception as error:  # whatever it is, the campaign has ended well
        log.warning("no report of campaign %s: %s: %s", record.name, type(error).__name__, error)
        log.debug("the report that failed", exc_info=True)
