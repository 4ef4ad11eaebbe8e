"""The verbs of campaigns: submit a file, pause, resume, cancel, try again, forget."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, wraps
from itertools import groupby
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from srqueue.campaign.cells import cell_of
from srqueue.campaign.planning import Planned, plan_cells
from srqueue.campaign.spec import CampaignSpec, Keys
from srqueue.datasets import Registry, dataset_ref
from srqueue.errors import SpecError, SrqueueError, UsageError
from srqueue.queue.budgets import SPENT, spending, spent_text
from srqueue.queue.cell_jobs import cell_jobs
from srqueue.queue.client import Client, differences
from srqueue.queue.doorbell import bell_of, ring, ring_for_many
from srqueue.queue.drawing import stages_of, study_of
from srqueue.queue.placing import Submitter
from srqueue.queue.stewarding import tend
from srqueue.queue.stops import Settling
from srqueue.run.reasons import JobState, StopReason
from srqueue.spec.stopping import parse_rules
from srqueue.spec.windows import parse_windows
from srqueue.store.acting import one_act
from srqueue.store.audit import Audit
from srqueue.store.campaigns import CampaignRecord, Campaigns, StoredCell
from srqueue.store.drawn import Drawn
from srqueue.store.new import NewJob
from srqueue.store.quotas import Quotas, check_room
from srqueue.store.record import Bell
from srqueue.store.searches import Searches
from srqueue.store.signed_queue import check_key

_TOLD = {"remove": "rm"}
_P = ParamSpec("_P")
_T = TypeVar("_T")
_UNDONE = (JobState.HELD, JobState.QUEUED, JobState.RUNNING, JobState.PAUSED)


@dataclass(frozen=True)
class CampaignSubmitted:
    """What a submit did. `left`: jobs of an earlier version of the file that have not ended; they go on.

    `differs`: how cells that were there already differ from what the file says now, in words: how many do.
    """

    name: str
    job_ids: tuple[str, ...]  # of the cells, in the order of the plan
    new: int
    left: tuple[str, ...] = ()
    differs: Mapping[str, int] = field(default_factory=dict)


_Verb = Callable[Concatenate["CampaignClient", _P], _T]


def _audited(verb: _Verb[_P, _T]) -> _Verb[_P, _T]:
    """Notes a verb in the audit trail before its first step; what it does to each job is a part of it."""

    @wraps(verb)
    def noted(self: CampaignClient, /, *args: _P.args, **how: _P.kwargs) -> _T:
        act = f"campaign {_TOLD.get(verb.__name__, verb.__name__)}"
        given = args[0] if args else next(iter(how.values()), "")
        name = given.name if isinstance(given, CampaignSpec) else str(given)
        audit = Audit(self.records.connection)
        audit.note(act, name, "begun")
        try:
            with one_act():
                return verb(self, *args, **how)
        except SrqueueError as error:
            audit.note(act, name, f"not done: {error.message}")
            raise

    return noted


class CampaignClient:
    """The verbs. `name` is a campaign's; they raise what `Client` does.

    `ended`: called where a verb ends a campaign (a worker that does makes its report).
    """

    def __init__(
        self, client: Client | None = None, ended: Callable[[CampaignRecord], None] = lambda _: None
    ) -> None:
        self.client = client or Client()
        self._ended = ended

    @cached_property
    def records(self) -> Campaigns:
        """The records of campaigns."""
        return Campaigns(self.client.store.connection)

    def plan(self, campaign: CampaignSpec) -> tuple[Planned, ...]:
        """Every cell with its spec. Raises SpecError that tells all that is wrong, by cell."""
        registry = Registry(self.client.settings).as_it_is()
        return plan_cells(campaign, lambda name: dataset_ref(registry, name))

    @_audited
    def submit(
        self, campaign: CampaignSpec, *, file: Path | None = None, update: bool = False
    ) -> CampaignSubmitted:
        """Queues the cells that are new or were changed; one whose spec the campaign has stays as it is.

        Raises UsageError where another file (or none) gave a campaign this name, unless `update`; SpecError
        before anything is queued.
        """
        origin = f"{socket.gethostname()}:{file.absolute()}" if file else ""
        planned = self.plan(campaign)
        self._check_name(campaign.name, origin, update)
        campaign = self._with_stops(self._with_budget(campaign))
        stages = [list(group) for _, group in groupby(planned, key=lambda p: p.cell.stage)]
        known: dict[tuple[str, tuple[int, ...]], str] = {}
        whole: list[NewJob] = []
        for some in stages:  # everything that may be wrong, before the first is written
            jobs = self._jobs(campaign, some, ())
            _check_different(some, jobs, known)
            whole += jobs
        check_key(self.records.connection, self.records.keyring)
        if not self.records.cells(
            campaign.name
        ):  # of one that is there each stage is asked about in its turn
            check_room(self.records.connection, whole, again=False, campaign=campaign.name)
        kept = self._drawn_before(campaign)
        self.records.begin(campaign.name, campaign.model_dump(mode="json"), origin)
        whose = Submitter.of(self.client.settings, campaign.name)
        self.records.set(
            campaign.name, user=whose.user, share=whose.share
        )  # cells that are drawn are his, too
        self.records.forget_cells(campaign.name, tuple(campaign.stages))
        self.records.put_cells(campaign.name, kept)
        placed: list[tuple[str, bool]] = []
        bells: list[Bell] = []
        differs: Counter[str] = self._differing(campaign, kept)
        for some in stages:
            jobs = self._jobs(campaign, some, [i for i, _ in placed])
            made = self.client.store.create_many(jobs, campaign=campaign.name)
            cells = [StoredCell(i, p.cell.stage, p.cell.axes) for (i, _), p in zip(made, some, strict=True)]
            self.records.put_cells(campaign.name, cells)
            placed += made
            there = {job_id: job.spec for job, (job_id, new) in zip(jobs, made, strict=True) if not new}
            differs += self._told(there)
            pairs = zip(jobs, made, strict=True)
            bells += [Bell(job.id, job.device_class) for job, (_, new) in pairs if new and not job.held_by]
        self.records.all_cells_said(campaign.name, tuple(campaign.stages))
        mine = [*(i for i, _ in placed), *(cell.job_id for cell in kept)]
        left = self._let_go(campaign.name, mine)
        if (before := self.records.find(campaign.name)) and before.more.get(SPENT):
            cut = [r.id for r in self.client.store.many(mine) if r.reason is StopReason.BUDGET_SPENT]
            self.records.hold_again(campaign.name, cut)  # what its budget cut short goes on
        number = len(mine)
        self.records.set(campaign.name, state="active", message="", cells=number, **{SPENT: ""})
        bells += tend(self.client.store, self._ended)
        ring_for_many(self.client.app, bells, self.client.store.workers())
        return CampaignSubmitted(
            campaign.name, tuple(i for i, _ in placed), sum(new for _, new in placed), left, dict(differs)
        )

    @_audited
    def pause(self, name: str) -> CampaignRecord:
        """No cell begins any more; those that wait or run are paused, with a checkpoint."""
        record = self.records.get(name)
        if record.state not in ("active", "submitting"):
            raise _unfit(record, "pause")
        self.records.set(name, state="paused")
        ids = self._own(name, (JobState.QUEUED, JobState.RUNNING))
        self.records.note_paused(name, ids)
        for job_id in ids:
            with contextlib.suppress(UsageError):  # it ended meanwhile
                self.client.store.ask(job_id, "pause")
        return self.records.get(name)

    @_audited
    def resume(self, name: str) -> CampaignRecord:
        """A paused campaign goes on, and with it the jobs that were paused because it was."""
        record = self.records.get(name)
        if record.state not in ("paused", "stopped"):
            raise _unfit(record, "resume")
        if record.more.get(SPENT):
            raise UsageError(
                f"campaign {name} was stopped: {record.message}",
                hint="raise `budget` in its file, and: srqueue campaign submit, once more",
            )
        if record.state == "stopped" and record.spec.get("on_failure") == "stop":
            raise UsageError(
                f"campaign {name} was stopped: {record.message}", hint=f"srqueue campaign retry {name}"
            )
        paused = self.records.take_paused(name)
        back = Counter(r.user for r in self.client.store.many(paused) if r.state is JobState.PAUSED)
        try:
            Quotas(self.records.connection).check(back)
        except UsageError:
            self.records.note_paused(name, paused)
            raise
        self.records.set(name, state="active", message="")
        for job_id in paused:
            with contextlib.suppress(UsageError):
                job = self.client.store.resume(job_id)
                if job.state is JobState.QUEUED:
                    ring(self.client.app, bell_of(job))
        self._tend()
        return self.records.get(name)

    @_audited
    def cancel(self, name: str) -> CampaignRecord:
        """Ends it: no cell begins any more, running ones export their best weights and end."""
        record = self.records.get(name)
        if record.state in ("cancelled", "ended"):
            raise _unfit(record, "cancel")
        self.records.set(name, state="cancelled", message="cancelled")
        self.records.take_paused(name)
        for job_id in self._own(name, _UNDONE):
            with contextlib.suppress(UsageError):
                job = self.client.store.ask(job_id, "cancel")
                if job.state is JobState.QUEUED:
                    ring(self.client.app, bell_of(job))
        self._tend()
        return self.records.get(name)

    @_audited
    def retry(self, name: str) -> int:
        """Failed and cancelled cells go on from their newest checkpoints, as many at a time as ever."""
        record = self.records.get(name)
        if record.state == "submitting":
            raise _unfit(record, "retry")
        cells = {cell.job_id for cell in self.records.cells(name)}
        ended = list(self.records.ids(name, (JobState.FAILED, JobState.CANCELLED)))
        if record.more.get(SPENT):
            raise UsageError(
                f"campaign {name} was stopped: {record.message}",
                hint="raise `budget` in its file, and: srqueue campaign submit, once more",
            )
        again = self.records.hold_again(name, [i for i in ended if i in cells])
        if again or record.state == "stopped":
            self.records.set(name, state="active", message="", ended="")
            self._tend()
        return again

    @_audited
    def remove(self, name: str, *, jobs: bool = False) -> CampaignRecord:
        """Forgets a campaign that has ended; its jobs stay, unless `jobs`. Run folders stay in any case."""
        record = self.records.get(name)
        counts = self.records.counts(name)
        undone = sum(counts[state] for state in _UNDONE) - Searches(self.client.store.connection).stopped(
            name
        )
        if undone:
            raise UsageError(
                f"{undone} jobs of campaign {name} have not ended",
                hint=f"first: srqueue campaign cancel {name}",
            )
        if jobs:
            for job_id in list(self.records.ids(name, JobState)):
                self.client.store.remove(job_id)
        Drawn(self.client.store.connection, name).forget()
        self.records.forget(name)
        return record

    def _own(self, name: str, states: Sequence[JobState]) -> list[str]:
        """Jobs that the campaign made; those that joined it are somebody else's, too."""
        ids = list(self.records.ids(name, states))
        found = self.client.store.many(ids)
        return [r.id for r in found if (r.maker or next(iter(r.campaigns), None)) == name]

    def _check_name(self, name: str, origin: str, update: bool) -> None:
        known = self.records.find(name)
        if update or (known is not None and known.file == origin):
            return
        if known is not None:
            came = known.file or "Python"
        elif self.client.store.count(campaign=name):
            came = "submit --campaign"
        else:
            return
        raise UsageError(
            f"there is a campaign {name} already, from {came}",
            hint="give this one another `name`, or take it as the new version of that one with --update",
        )

    def _with_budget(self, campaign: CampaignSpec) -> CampaignSpec:
        """With prices and moments filled in. Raises SpecError where it is spent already."""
        if not campaign.budget:
            return campaign
        where = f"budget of campaign {campaign.name}"
        budget = Settling(self.client.settings, self.client.store).budget(campaign.budget, where)
        if known := self.records.find(campaign.name):
            spent = spending(self.client.store, self.records, known)
            if told := spent_text(budget, spent, datetime.now(UTC)):
                raise SpecError(told, where=where, hint="raise it, or give the campaign another `name`")
        return campaign.model_copy(update={"budget": budget})

    def _with_stops(self, campaign: CampaignSpec) -> CampaignSpec:
        """Rules of stages whose cells are drawn later, settled now: "Sun 22:00" is one moment for all."""
        settling = Settling(self.client.settings, self.client.store)

        def settled(keys: Keys, stage: str) -> Keys:
            if not keys.get("stop"):
                return keys
            rules = settling.budget(parse_rules(keys["stop"]), f"stop rules of stage {stage}")
            return {**keys, "stop": [str(rule) for rule in rules]}

        stages = dict(campaign.stages)
        for name, stage in campaign.stages.items():
            if stage.search and stage.search.asked:
                overrides = tuple(o.model_copy(update={"set": settled(o.set, name)}) for o in stage.overrides)
                stages[name] = stage.model_copy(
                    update={"base": settled(stage.base, name), "overrides": overrides}
                )
        return campaign.model_copy(update={"stages": stages})

    def _jobs(self, campaign: CampaignSpec, some: Sequence[Planned], ids: Sequence[str]) -> list[NewJob]:
        """Of one stage. `ids`: of the jobs of all cells before; without them nobody waits for a model."""
        parents = [[ids[i] for i in p.parents] if ids else [] for p in some]
        registry, settling = Registry(self.client.settings), Settling(self.client.settings, self.client.store)
        stage, specs = some[0].cell.stage, [p.expanded for p in some]
        whose = Submitter.of(self.client.settings, campaign.name)
        return cell_jobs(registry, campaign, stage, specs, parents, settling, whose)

    def _drawn_before(self, campaign: CampaignSpec) -> list[StoredCell]:
        """Cells that were drawn for a stage, where it is still the same; else it is drawn anew."""
        known = self.records.find(campaign.name)
        before = {} if known is None else stages_of(known)
        drawn = Drawn(self.client.store.connection, campaign.name)
        same = set()
        for name, stage in campaign.stages.items():
            if name in before and study_of(campaign.name, stage) == study_of(campaign.name, before[name]):
                same.add(name)
            else:
                drawn.begin(name)
        return [c for c in self.records.cells(campaign.name) if c.trial is not None and c.stage in same]

    def _differing(self, campaign: CampaignSpec, kept: Sequence[StoredCell]) -> Counter[str]:
        """Of cells that were drawn before."""
        wanted = {}
        for cell in kept:
            said = cell_of(cell.stage, campaign.stages[cell.stage], campaign.name, cell.axes)
            laid = {key: value for _, layer in said.layers for key, value in layer.items()}
            wanted[cell.job_id] = {
                "stop": [str(rule) for rule in parse_rules(laid.get("stop") or ())],
                "window": [str(window) for window in parse_windows(laid.get("window") or ())],
            }
        return self._told(wanted)

    def _told(self, wanted: Mapping[str, Mapping[str, Any]]) -> Counter[str]:
        """How jobs differ from specs that are the same training, by id."""
        jobs = [j for j in self.client.store.many(sorted(wanted)) if j.reason is not StopReason.COMPLETED]
        return Counter(text for job in jobs for text in differences(job, wanted[job.id]))

    def _let_go(self, name: str, cells: Iterable[str]) -> tuple[str, ...]:
        """Jobs that the file does not have any more: the ended ones leave; the others are returned."""
        known = set(cells)
        ended = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)
        self.records.leave(name, [i for i in list(self.records.ids(name, ended)) if i not in known])
        return tuple(i for i in self.records.ids(name, _UNDONE) if i not in known)

    def _tend(self) -> None:
        ring_for_many(self.client.app, tend(self.client.store, self._ended), self.client.store.workers())


def _check_different(
    some: Sequence[Planned], jobs: Sequence[NewJob], known: dict[tuple[str, tuple[int, ...]], str]
) -> None:
    """Raises SpecError where one is the same training as another that is `known`, and adds them to these."""
    for planned, job in zip(some, jobs, strict=True):
        key, label = (job.spec_id, planned.parents), f"{planned.cell.label} (stage {planned.cell.stage})"
        if key in known:
            raise SpecError(
                f"two cells are one and the same training: {known[key]} and {label}",
                where=f"stage {planned.cell.stage}",
                hint="what they differ in does not change what is trained",
            )
        known[key] = label


def _unfit(record: CampaignRecord, verb: str) -> UsageError:
    hints = {
        "submitting": "queue the rest of it: srqueue campaign submit, once more",
        "paused": f"srqueue campaign resume {record.name}",
        "stopped": f"srqueue campaign retry {record.name}",
        "cancelled": f"srqueue campaign retry {record.name}",
        "ended": f"srqueue campaign report {record.name}",
    }
    return UsageError(
        f"cannot {verb} campaign {record.name}: it is {record.state}", hint=hints.get(record.state)
    )
