"""The proof of the proof: a resume that does not get back one field of a checkpoint must be noticed.

Which fields there are is read from RunState and from real checkpoints: one that is added is a mutant at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from srqueue.errors import SrqueueError
from srqueue.spec.job import JobSpec
from srqueue.spec.variations import changed
from workers.trainer import attempt
from workers.trainer.checkpoint import read
from workers.trainer.restore import Restored
from workers.trainer.state import RunState
from workers.verifying.attempts import Attempts
from workers.verifying.chain import chained, straight
from workers.verifying.digests import differing, digests
from workers.verifying.scenarios import LENGTH, SCENARIOS, Scenario
from workers.verifying.verdict import Verifier

SCENARIO_OF = {
    "decay_from": "decay",
    "scaler": "fp16",
    "rollbacks": "going back",
    "guard_factor": "going back",
    "sample_offset": "going back",
    "best": "past its best",
    "best_iteration": "past its best",
    "micro_batch": "short of memory",
    "bad_pictures": "a bad picture",
    "dead_flagged": "dead",
}
"""Where a field of the state matters; all others do in `automations`."""

CACHED = {"bicubic"}
"""Fields that are made again, with the same bits, where they are lost: that must change nothing."""

KILLS, STOPS = 1, 3


@dataclass(frozen=True)
class Mutant:
    """One part of a checkpoint that is lost. Called in the trainer's process, it makes that so."""

    scenario: str
    part: str
    name: str

    def __str__(self) -> str:
        return f"{self.part} {self.name}".strip()

    def __call__(self) -> None:
        """The faults of the scenario, and this one."""
        if (faults := SCENARIOS[self.scenario].faults) is not None:
            faults()
        real: Callable[..., Restored | None] = attempt.restore  # type: ignore[attr-defined]

        def restore(*given: Any) -> Restored | None:
            restored = real(*given)
            return restored and self._less(restored)

        attempt.restore = restore  # type: ignore[attr-defined, assignment]

    def _less(self, restored: Restored) -> Restored:
        manifest, tensors = restored.manifest, restored.tensors
        if self.part == "events":
            manifest = replace(manifest, events_offset=0)
        elif self.part == "state":
            manifest = replace(manifest, state={k: v for k, v in manifest.state.items() if k != self.name})
        elif self.part == "automation":
            kept = {k: v for k, v in manifest.state["automations"].items() if k != self.name}
            manifest = replace(manifest, state={**manifest.state, "automations": kept})
        else:
            tensors = {k: t for k, t in tensors.items() if not k.startswith(f"{self.name}/")}
        return replace(restored, manifest=manifest, tensors=tensors)


@dataclass(frozen=True)
class Caught:
    """How a mutant showed; nothing in `by` where it did not."""

    mutant: str
    scenario: str
    by: tuple[str, ...]
    cached: bool = False

    @property
    def right(self) -> bool:
        """Whether it showed, or for a field that is made again did not."""
        return bool(self.by) != self.cached


def mutants(verifier: Verifier, spec: JobSpec, seed: int) -> Iterator[Caught]:
    """Every mutant in its scenario. Raises SrqueueError where a scenario is not exact without one."""
    for name, scenario in SCENARIOS.items():
        plain = verifier.new(_of(scenario, spec), f"{name}-straight", scenario.faults)
        straight(plain)
        expected = digests(plain.run)
        if by := _noticed(
            verifier.new(_of(scenario, spec), f"{name}-killed", scenario.faults), expected, seed
        ):
            raise SrqueueError(f"the scenario {name!r} is not exact though nothing was lost: {', '.join(by)}")
        for mutant in _all_of(name, plain):
            killed = verifier.new(_of(scenario, spec), f"{name}-{mutant}".replace("/", "-"), mutant)
            yield Caught(str(mutant), name, _noticed(killed, expected, seed), mutant.name in CACHED)


def _of(scenario: Scenario, spec: JobSpec) -> JobSpec:
    return changed(spec, {"train.total_iter": LENGTH, **scenario.changes})


def _noticed(killed: Attempts, expected: dict[str, str], seed: int) -> tuple[str, ...]:
    try:
        ended = chained(killed, (), KILLS, STOPS, seed)
    except SrqueueError as error:
        return (str(error).splitlines()[0],)
    return tuple(dict.fromkeys([*differing(digests(killed.run), expected), *ended.wrong]))


def _all_of(scenario: str, plain: Attempts) -> list[Mutant]:
    """What can be lost in a scenario and would show there."""
    manifest, tensors = read(plain.run.checkpoints / str(plain.run.checkpoint_names()[-1]))
    names = {field.name: SCENARIO_OF.get(field.name, "automations") for field in fields(RunState)}
    found = [Mutant(scenario, "state", name) for name, where in names.items() if where == scenario]
    if scenario == "automations":
        found.append(Mutant(scenario, "events", "offset"))
        found += [Mutant(scenario, "automation", name) for name in manifest.state["automations"]]
    if scenario in ("automations", "SOAP", "Muon", "schedule-free"):
        parts = {name.partition("/")[0] for name in tensors} - {"optim", "best"}
        kinds = {"/".join(name.split("/")[:2]) for name in tensors if name.startswith("optim/")}
        lost = sorted(parts | kinds if scenario == "automations" else kinds)
        found += [Mutant(scenario, "tensors", name) for name in lost]
    if scenario == "past its best":
        found.append(Mutant(scenario, "tensors", "best"))
    return found
