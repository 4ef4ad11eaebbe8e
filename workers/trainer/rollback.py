"""Going back to an earlier state of the run, and what is not forgotten then.

Where a run goes back to depends on iterations alone, never on when a checkpoint happened to be due: to the
newest *anchor* from before the window of losses that went wrong. Anchors are the checkpoints at validations,
in runs with few of them also at each tenth, and the start of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from srqueue.errors import SrqueueError
from srqueue.run.folder import CheckpointName
from srqueue.spec.automations import DivergenceGuardSpec
from workers.trainer.action import Action
from workers.trainer.automations.divergence import window_start
from workers.trainer.state import Contents, RunState


class Diverged(SrqueueError):
    """A loss or a weight has left all bounds, and the run does not go back any more."""


def broken_weight(*networks: nn.Module) -> str | None:
    """What is wrong where a parameter is not finite; one value is read back from the device."""
    norms = torch._foreach_norm([p.detach() for net in networks for p in net.parameters()])
    return None if bool(torch.isfinite(torch.stack(norms)).all()) else "a weight is not a finite number"


def refuges(names: list[CheckpointName], interval: int, iteration: int) -> list[CheckpointName]:
    """Where a run that went wrong at `iteration` may go back to, best first. `names`: oldest first."""
    before = window_start(iteration)
    return [n for n in reversed(names) if n.iteration % interval == 0 and n.iteration <= before]


def needed(names: list[CheckpointName], interval: int, iteration: int) -> set[CheckpointName]:
    """What a run at `iteration` must keep: the refuge of its window, and the newest anchor, a later one's."""
    newest = [n for n in reversed(names) if n.iteration % interval == 0][:1]
    return {*newest, *refuges(names, interval, iteration + 1)[:1]}


def go_back(
    spec: DivergenceGuardSpec,
    now: RunState,
    wrong: str,
    where: Callable[[], Contents],
    last_saved: CheckpointName | None,
) -> tuple[Contents, Action]:
    """What to go on with, and what to tell; `where` gives the tensors and the state to go back to.

    Raises Diverged where the spec wants no roll-back, or no more, or `where` fails.
    """
    found: Contents | None = None
    why = f", after {now.rollbacks} roll-backs" if now.rollbacks else ""
    if spec.enabled and now.rollbacks < spec.max_rollbacks:
        try:
            found = where()
        except SrqueueError as error:
            why = f", and there is nothing to go back to: {error.message}"
    if found is None:
        raise Diverged(
            f"{wrong} at iteration {now.iteration}{why}",
            where=f"last good checkpoint: {last_saved}" if last_saved else None,
            hint="lower train.optim_g.lr, lengthen train.warmup_iter or set train.grad_clip",
        )
    tensors, then = found
    action = Action(
        by="DivergenceGuard",
        did=(
            f"went back to iteration {then.iteration}, on to other samples, "
            f"at {now.guard_factor * spec.lr_factor:g} of the learning rate"
        ),
        reason=f"{wrong} at iteration {now.iteration}",
    )
    return (tensors, _merged(now, then, spec.lr_factor)), action


def _merged(now: RunState, then: RunState, lr_factor: float) -> RunState:
    """`then`, and of `now` what must not be forgotten.

    The samples of everything that was undone are skipped; the rate is lowered on top of what earlier
    roll-backs left of it.
    """
    return replace(
        then,
        seq=now.seq,
        seconds=now.seconds,
        energy=now.energy,
        bicubic=now.bicubic,
        decisions=now.decisions,
        dead_flagged=now.dead_flagged,
        bad_pictures=now.bad_pictures,
        micro_batch=now.micro_batch,
        rollbacks=now.rollbacks + 1,
        guard_factor=now.guard_factor * lr_factor,
        sample_offset=now.sample_offset + now.iteration - then.iteration,
    )
