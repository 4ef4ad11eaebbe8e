"""Campaign: a matrix of trainings from a script or notebook."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from srqueue.campaign.spec import CampaignSpec, campaign_of, read_campaign
from srqueue.campaign.verdict import flat
from srqueue.campaign.verdict.judge import Verdict
from srqueue.queue.campaigns import CampaignClient, CampaignSubmitted
from srqueue.queue.client import Client
from srqueue.queue.outcomes import verdict_on
from srqueue.store.patience import OUTAGE, patiently

_LOOK = 0.5
"""Seconds between two looks while somebody waits."""


class Campaign:
    """A campaign as `srqueue campaign submit` queues it; given once more after an edit, only what is new is.

    Raises SpecError that lists every problem; its verbs raise what `Client` does.
    """

    def __init__(self, config: Mapping[str, Any], client: Client | None = None) -> None:
        """`config`: what a campaign file holds, with a `name`."""
        self._begin(campaign_of(config, "campaign"), None, client)

    @classmethod
    def from_file(cls, path: str | Path, client: Client | None = None) -> Self:
        """The campaign in a YAML file, named after it where it says no name."""
        made = cls.__new__(cls)
        made._begin(read_campaign(Path(path)), Path(path), client)
        return made

    def _begin(self, spec: CampaignSpec, file: Path | None, client: Client | None) -> None:
        self.spec = spec
        self._file = file
        self._client = client

    @cached_property
    def _verbs(self) -> CampaignClient:
        return CampaignClient(self._client)

    @property
    def name(self) -> str:
        """What it is called in the queue."""
        return self.spec.name

    def submit(self, *, update: bool = False) -> CampaignSubmitted:
        """Queues the cells that are new or were changed. `update`: it replaces another one of its name."""
        return self._verbs.submit(self.spec, file=self._file, update=update)

    def status(self) -> dict[str, Any]:
        """State, and how many jobs are in each state."""
        record, counts = self._verbs.records.get(self.name), self._verbs.records.counts(self.name)
        return {
            "name": record.name, "state": record.state, "message": record.message, "cells": record.cells,
            "in_vain": record.in_vain,
            "jobs": {str(state): number for state, number in counts.items()}, "spent_s": record.spent_s,
        }  # fmt: skip

    def wait(self, timeout: float | None = None) -> dict[str, Any]:
        """The status once it has ended, or was stopped, or waits in vain, and nothing of it runs any more.

        Raises TimeoutError after `timeout` seconds, ServiceUnreachable where Redis is away for ten minutes.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while not _over(status := patiently(self.status, OUTAGE, OUTAGE)):
            if deadline is not None and time.monotonic() >= deadline:
                raise TimeoutError(f"campaign {self.name} has not ended after {timeout:g} s")
            time.sleep(_LOOK)
        return status

    def verdict(self) -> Verdict:
        """Everything that is known of it: boards, comparisons, remarks."""
        return verdict_on(self._verbs.client.store, self.name)

    def results(self) -> list[dict[str, Any]]:
        """A flat row a cell, all with the same keys: `pandas.DataFrame(campaign.results())`."""
        return flat.rows(self.verdict())

    def leaderboard(self) -> list[dict[str, Any]]:
        """A row a group of cells that differ only in their seed, the best first, board by board."""
        return [
            {"validated_on": board["validated_on"], **group}
            for board in flat.boards(self.verdict())
            for group in board["groups"]
        ]

    def report(self, path: str | Path | None = None) -> Path:
        """Writes the HTML there, else where the campaign leaves it by itself; where it is."""
        from srqueue.report.campaign_files import write_report

        store, settings = self._verbs.client.store, self._verbs.client.settings
        return write_report(store, settings, self._verbs.records.get(self.name), Path(path) if path else None)


def _over(status: Mapping[str, Any]) -> bool:
    """A stopped campaign holds the cells that it has not begun until somebody tries again."""
    goes_on = sum(status["jobs"][state] for state in ("queued", "running"))
    still = status["state"] == "stopped" or status["in_vain"]
    return status["state"] == "ended" or (still and not goes_on)
