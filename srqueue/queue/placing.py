"""From specs to new jobs of the store: checked, with their content, what many share found once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ulid import ULID

from srqueue.datasets import Registry, check_known, check_scales
from srqueue.errors import UsageError
from srqueue.queue.contents import pinned
from srqueue.queue.guessing import with_guesses
from srqueue.queue.stops import Settling
from srqueue.settings import Settings
from srqueue.spec.expand import Expanded
from srqueue.spec.job import JobSpec, spec_id
from srqueue.spec.needs import NeedsSpec
from srqueue.spec.validate import validate
from srqueue.spec.windows import is_open, opens
from srqueue.store.new import NewJob

Config = JobSpec | Expanded | Mapping[str, Any]

OUTSIDE = "its window is closed"

_PINNED = ("datasets", "path")  # the sections that `pinned` may change
_LOOKED_AT: Any = {"datasets": True, "path": True, "network_g": True, "scale": True, "val": {"val_enabled"}}
_PATHS = ("pretrain_network_g", "resume_from")


@dataclass(frozen=True)
class Submitter:
    """Whose jobs they are. `share`: the campaign that takes turns with the user's others; none: no turns."""

    user: str = ""
    share: str = ""

    @classmethod
    def of(cls, settings: Settings, campaign: str = "") -> Submitter:
        """By this machine's settings."""
        return cls(settings.user_name, campaign if settings.share == "campaign" else "")


def new_jobs(
    registry: Registry, configs: Iterable[Config], priority: int, settling: Settling,
    submitter: Submitter = Submitter(),
) -> list[NewJob]:  # fmt: skip
    """A job for each spec. Their ids grow, so that of many at one moment the first runs first.

    Raises DataError where this machine knows that validation would be on pictures that are trained on,
    SpecError where pairs are of another scale, a path leads to something else than it should, or a stop rule
    is spent before it begins.
    """
    whole = _with_contents(registry.as_it_is(), _numbered(configs))
    whole = (with_stops(settling, expanded) for expanded in whole)
    pairs = [(_new_job(str(ULID()), expanded, priority, submitter), expanded.spec) for expanded in whole]
    return [job for job, _ in pairs] if settling.store is None else with_guesses(settling.store, pairs)


def _with_contents(registry: Registry, given: Iterable[Expanded]) -> Iterator[Expanded]:
    """`pinned` and checked. Specs of the same data, network and files are looked at once."""
    known: dict[tuple[str | None, ...], tuple[dict[str, Any], dict[str, str]]] = {}
    for expanded in given:
        spec, origins = expanded.spec, expanded.origins
        key = spec.model_dump_json(include=_LOOKED_AT), *(origins.get(f"path.{name}") for name in _PATHS)
        if key not in known:
            whole = pinned(registry, expanded)
            check_scales(registry, whole.spec)
            check_known(registry, whole.spec)
            found = {k: v for k, v in whole.origins.items() if origins.get(k) != v}
            known[key] = {name: getattr(whole.spec, name) for name in _PINNED}, found
        sections, found = known[key]
        yield replace(expanded, spec=spec.model_copy(update=sections), origins={**origins, **found})


def with_stops(settling: Settling, expanded: Expanded) -> Expanded:
    """Its stop rules as a trainer can go by them. Raises what `Settling.of` does."""
    if not expanded.spec.stop:
        return expanded
    return replace(expanded, spec=expanded.spec.model_copy(update={"stop": settling.of(expanded.spec)}))


def device_class(device: str, needs: NeedsSpec) -> str:
    """Whose bells are rung for a job: with the needs of a GPU those that have one."""
    if device == "auto":
        return "cuda" if needs.wants_gpu else "any"
    return device


def _new_job(job_id: str, expanded: Expanded, priority: int, submitter: Submitter) -> NewJob:
    """What a job needs stands on its record alone: it may be changed, and older workers read its spec."""
    spec = expanded.spec
    at = _opens(spec)
    return NewJob(
        job_id,
        spec.model_dump(mode="json", exclude={"needs"}),
        {path: origin for path, origin in expanded.origins.items() if path.partition(".")[0] != "needs"},
        spec_id(spec),
        spec.name,
        spec.train.total_iter,
        priority,
        device_class(spec.compute.device, spec.needs),
        needs=spec.needs,
        user=submitter.user,
        share=submitter.share,
        opens=at,
        message=OUTSIDE if at is not None else "",
    )


def _opens(spec: JobSpec) -> float | None:
    """When a window of a spec opens, by this machine's clock: its worker will look by its own."""
    now = datetime.now().astimezone()
    return None if is_open(spec.window, now) else opens(spec.window, now).timestamp()


def _numbered(configs: Iterable[Config]) -> Iterator[Expanded]:
    """Each as `Expanded`; an error of one of many says which."""
    known = configs if isinstance(configs, Sequence) else list(configs)
    for number, config in enumerate(known):
        where = "the submitted config" if len(known) == 1 else f"configs[{number}]"
        yield _expanded(config, where)


def _expanded(config: Config, where: str) -> Expanded:
    if isinstance(config, Expanded):
        return config
    if isinstance(config, JobSpec):
        return Expanded(config, {})
    if isinstance(config, Mapping):
        return Expanded(validate(config, where), {})
    raise UsageError(
        f"{type(config).__name__} cannot be submitted",
        where=where,
        hint="pass a JobSpec, what expand() or create_zero_config_training() returned, or a mapping",
    )
