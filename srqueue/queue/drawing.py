"""Cells that are drawn while a campaign runs: Optuna says what to try next, here it becomes a job.

One asks at a time. An asker that dies leaves at most a trial in the study that is no cell, and the next one
is handed it again (optuna_child.py), so nothing is lost and nothing is there twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from srqueue.campaign.cells import cell_of
from srqueue.campaign.expanding import Expander, Wrong
from srqueue.campaign.search.space import admits
from srqueue.campaign.search.spec import SearchSpec
from srqueue.campaign.spec import CampaignSpec, StageSpec, before
from srqueue.datasets import Registry, dataset_ref
from srqueue.errors import ServiceUnreachable, SrqueueError, UsageError
from srqueue.queue.cell_jobs import cell_jobs
from srqueue.queue.placing import Submitter
from srqueue.queue.searching import figure, filled
from srqueue.queue.stops import Settling
from srqueue.run.reasons import JobState
from srqueue.settings import Settings
from srqueue.store.campaigns import SIGNATURE, CampaignRecord, Campaigns, StoredCell
from srqueue.store.drawn import Drawn
from srqueue.store.quotas import Quotas
from srqueue.store.searches import Contender, Searches
from srqueue.store.servers import address_now
from srqueue.store.store import Store
from srqueue.variables import SECRET_VARIABLES

log = logging.getLogger(__name__)

SECONDS = 120.0
"""For one answer; then the child is ended."""
_CHILD = Path(__file__).with_name("optuna_child.py")


def installed() -> bool:
    """Whether this machine can ask."""
    return find_spec("optuna") is not None


def draw(store: Store) -> int:
    """Makes cells for every campaign that draws them, as many as may begin; how many. Takes seconds."""
    campaigns = Campaigns(store.connection)
    made = 0
    for record in campaigns.open():
        if record.state == "active":
            try:
                made += _draw_for(store, campaigns, record) if _is_trusted(campaigns, record) else 0
            except ServiceUnreachable:
                raise
            except Exception:  # that of one campaign holds up no other
                log.warning("campaign %s: no cell was drawn", record.name, exc_info=True)
    return made


def draws(store: Store) -> bool:
    """Whether a campaign that goes on draws its cells."""
    records = Campaigns(store.connection).open()
    return any(
        s.search and s.search.asked for r in records if r.state == "active" for s in stages_of(r).values()
    )


def undrawn(store: Store, campaigns: Campaigns, record: CampaignRecord) -> dict[str, int]:
    """How many cells are still to be drawn, of the stages whose cells are drawn."""
    asked = {
        name: s.search.trials or 0 for name, s in stages_of(record).items() if s.search and s.search.asked
    }
    if not asked:
        return {}
    drawn, made = Drawn(store.connection, record.name), campaigns.cells(record.name)
    return {
        name: max(0, trials - sum(cell.stage == name for cell in made) - len(drawn.unfit(name)))
        for name, trials in asked.items()
    }


def study_of(name: str, stage: StageSpec) -> str:
    """What is drawn anew where the stage was changed in more than the number of trials, and when it ends."""
    search = stage.search.model_copy(update={"trials": None}) if stage.search else None
    base = {key: value for key, value in stage.base.items() if key not in ("stop", "window")}
    body = stage.model_copy(update={"search": search, "base": base}).model_dump_json()
    return f"{name}-{hashlib.sha256(body.encode()).hexdigest()[:12]}"


def stages_of(record: CampaignRecord) -> dict[str, StageSpec]:
    """The stages of a campaign as it is stored."""
    raw = record.spec.get("stages") or {}
    return {name: StageSpec.model_validate(stage) for name, stage in raw.items()}


def _draw_for(store: Store, campaigns: Campaigns, record: CampaignRecord) -> int:
    drawn = Drawn(store.connection, record.name)
    left = {stage: number for stage, number in undrawn(store, campaigns, record).items() if number}
    left = _may_begin(campaigns, record, left) if left else left
    counts = campaigns.counts(record.name)
    few = max(1, len(store.workers())) - counts[JobState.QUEUED] - campaigns.free(record.name)
    if record.max_parallel is not None:
        few = min(few, record.max_parallel - counts[JobState.QUEUED] - counts[JobState.RUNNING])
    if not left or few < 1:
        return 0
    with drawn.alone(secrets.token_hex(8), SECONDS + 60) as mine:
        if not mine:
            return 0
        stage = next(iter(left))
        few = int(min(few, Quotas(store.connection).room(record.more.get("user", ""))))
        if few < 1:  # its user has as many jobs waiting as he may
            return 0
        return _make(store, campaigns, record, stage, min(left[stage], few), drawn)


def _is_trusted(campaigns: Campaigns, record: CampaignRecord) -> bool:
    """What is drawn is signed by this worker, so what it is drawn from must be signed by who may submit."""
    why = campaigns.keyring.wrong_with_campaign(record.name, record.spec, record.more.get(SIGNATURE))
    if why and undrawn_stages(record):
        told = f"no cell is drawn: {why}; its owner submits it once more with the key"
        if record.message != told:
            log.warning("campaign %s: %s", record.name, told)
            campaigns.set(record.name, message=told)
    return why is None


def undrawn_stages(record: CampaignRecord) -> list[str]:
    """Stages whose cells are drawn."""
    return [name for name, stage in stages_of(record).items() if stage.search and stage.search.asked]


def _may_begin(campaigns: Campaigns, record: CampaignRecord, left: dict[str, int]) -> dict[str, int]:
    """Those stages of `left` that wait for none which has open cells, or some to be drawn: what is drawn
    now is drawn with all that is known by then."""
    stages = stages_of(record)
    waits = {stage: before(stages[stage]) for stage in left}
    standing = campaigns.standing(record.name, {other for some in waits.values() for other in some})
    return {
        stage: number
        for stage, number in left.items()
        if not any(other in left or standing[other][0] for other in waits[stage])
    }


def _make(
    store: Store, campaigns: Campaigns, record: CampaignRecord, stage: str, wanted: int, drawn: Drawn
) -> int:
    campaign = CampaignSpec.model_validate(record.spec)
    laid = campaign.stages[stage]
    search = laid.search
    assert search is not None
    registry = Registry(store.connection.settings).as_it_is()
    settling = Settling(store.connection.settings, store)
    whose = Submitter(record.more.get("user", ""), record.more.get("share", ""))
    expander = Expander(campaign.name, lambda name: dataset_ref(registry, name))
    cells = [cell for cell in campaigns.cells(campaign.name) if cell.stage == stage]
    rows = _known(store, cells, search, drawn.unfit(stage))
    made = 0
    for trial in _ask(store.connection.settings, drawn.study(study_of(stage, laid)), search, rows, wanted):
        if not _goes_on(campaigns, record):  # to ask took seconds
            break
        number, axes = int(trial["number"]), _values(search, trial["params"])
        if not admits(search.space, axes):
            log.warning("campaign %s: what was drawn is not of its space: no cell", campaign.name)
            continue
        if any(cell.axes == axes for cell in cells):
            drawn.note_unfit(stage, number, axes, "it was drawn before")
            continue
        cell = cell_of(stage, laid, campaign.name, axes)
        try:
            jobs = cell_jobs(registry, campaign, stage, [expander.expand(cell)], (), settling, whose)
        except ServiceUnreachable:
            raise
        except (Wrong, SrqueueError) as error:
            if _is_here(registry, cell.choices.get("dataset")):
                drawn.note_unfit(stage, number, axes, str(error))
            log.warning("campaign %s: a cell was not made: %s", campaign.name, error)
            continue
        ((job_id, new),) = store.create_many(jobs, campaign=campaign.name)
        one = StoredCell(job_id, stage, axes, number)
        campaigns.put_cells(campaign.name, [one])
        campaigns.set(campaign.name, cells=len(campaigns.cells(campaign.name)))
        if new and _is_cancelled(campaigns, record.name):  # in this very moment: nobody else ends this one
            with contextlib.suppress(UsageError):
                store.ask(job_id, "cancel")
        cells.append(one)
        made += 1
    return made


def _goes_on(campaigns: Campaigns, record: CampaignRecord) -> bool:
    """Whether the campaign still is what it was when it was asked for."""
    now = campaigns.find(record.name)
    return now is not None and now.state == "active" and now.spec == record.spec


def _is_cancelled(campaigns: Campaigns, name: str) -> bool:
    now = campaigns.find(name)
    return now is None or now.state in ("cancelled", "ended")


def _is_here(registry: Registry, name: Any) -> bool:
    """Whether the data set is known on this machine: else another one may make the cell."""
    try:
        dataset_ref(registry, str(name))
    except SrqueueError:
        return False
    return True


def _values(search: SearchSpec, params: dict[str, Any]) -> dict[str, Any]:
    """Choices that Optuna cannot hold (mappings, lists) travel as JSON."""
    found = {}
    for key, value in params.items():
        choices = search.space[key].choice or ()
        found[key] = next((c for c in choices if not _plain(c) and json.dumps(c) == value), value)
    return found


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)


def _known(
    store: Store, cells: Sequence[StoredCell], search: SearchSpec, unfit: dict[int, dict[str, Any]]
) -> list[dict[str, Any]]:
    searches = Searches(store.connection)
    number = {cell.job_id: (cell.trial, cell.axes) for cell in cells if cell.trial is not None}
    found: list[dict[str, Any]] = [
        {"number": n, "params": _flat(search, axes), "state": "fail", "at": {}, "value": None}
        for n, axes in unfit.items()
    ]
    for one in searches.contenders(list(number)):
        trial, axes = number[one.id]
        one = filled(store, searches, one, search)
        at = {
            str(rung): figure(metrics, search) for rung, metrics in one.at.items() if search.metric in metrics
        }
        value = figure(one.metrics, search)
        found.append(
            {"number": trial, "params": _flat(search, axes), "state": _state(one), "at": at, "value": value}
        )
    return found


def _flat(search: SearchSpec, axes: dict[str, Any]) -> dict[str, Any]:
    return {key: value if _plain(value) else json.dumps(value) for key, value in axes.items()}


def _state(one: Contender) -> str:
    if one.state is JobState.SUCCEEDED:
        return "complete"
    if one.state in (JobState.FAILED, JobState.CANCELLED):
        return "fail"
    return "pruned" if one.at_rung else "running"  # a sampler learns from what waits there, too


def _ask(
    settings: Settings, prefix: str, search: SearchSpec, known: list[dict[str, Any]], wanted: int
) -> list[dict[str, Any]]:
    """What the child answered in time; nothing where it did not."""
    address = address_now(settings)
    question = {
        "url": address, "prefix": prefix, "sampler": search.sampler, "seed": search.seed,
        "space": {k: one.model_dump(mode="json", exclude_none=True) for k, one in search.space.items()},
        "known": known, "wanted": wanted,
    }  # fmt: skip
    environment = {key: value for key, value in os.environ.items() if key not in SECRET_VARIABLES}
    child = subprocess.Popen(
        [sys.executable, "-P", str(_CHILD)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment, start_new_session=True,
    )  # fmt: skip
    try:
        answer, told = child.communicate(json.dumps(question).encode(), timeout=SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        log.warning("Optuna did not answer within %g s", SECONDS)
        return []
    if child.returncode:
        # Its traceback may name the address of Redis: the last line alone is told, without it.
        last = told.decode(errors="replace").strip().splitlines()[-1:] or ["no word"]
        log.warning("Optuna could not be asked: %s", last[0].replace(address, settings.shown_url))
        return []
    found: list[dict[str, Any]] = json.loads(answer)
    return found
