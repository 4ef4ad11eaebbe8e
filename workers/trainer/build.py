"""From a spec and what lies on this machine to a Trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from srqueue.spec.job import JobSpec
from workers.trainer.archs import build_network
from workers.trainer.beginning import begin, unheard
from workers.trainer.data.batches import Batches
from workers.trainer.data.quarantine import Quarantine
from workers.trainer.datasets import Datasets
from workers.trainer.gallery import Gallery
from workers.trainer.loading import decide_loading
from workers.trainer.loop import Trainer
from workers.trainer.losses.weighted import WeightedLosses
from workers.trainer.optim.ema import Ema
from workers.trainer.reporter import Reporter
from workers.trainer.saving import Saver
from workers.trainer.state import Contents
from workers.trainer.step import Step
from workers.trainer.stopping import StopRequest
from workers.trainer.team.leader import Team
from workers.trainer.validation import Validator


def build_trainer(
    spec: JobSpec,
    device: torch.device,
    datasets: Datasets,
    saver: Saver,
    reporter: Reporter,
    stop: StopRequest,
    contents: Contents,
    team: Team | None = None,
    given: Mapping[str, Any] | None = None,
    devices: tuple[torch.device, ...] = (),
) -> Trainer:
    """The trainer as it stands with `contents`. The spec must be resolved. `team`: shares its batches;
    `given`: what attempt.json says; `devices`: all that take part."""
    tensors, state = contents
    channels_last = bool(spec.compute.channels_last)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = build_network(spec.network_g, spec.scale)
    net = net.to(device, memory_format=layout)  # type: ignore[call-overload]
    validator = gallery = None
    if datasets.validation is not None and spec.datasets.val is not None:
        validator = Validator(
            spec.datasets.val.name, datasets.validation, device, lambda: stop.reason is not None
        )
        gallery = Gallery(saver.run, datasets.validation, lambda text: reporter.message("warning", text))
    pictures = datasets.training
    quarantine = Quarantine(
        pictures, state.bad_pictures, lambda text: reporter.message("warning", text), resumed=state.seq > 0
    )
    batches = Batches(
        pictures,
        spec.datasets.train,
        spec.manual_seed,
        device,
        channels_last,
        quarantine,
        decide_loading(spec.compute, device, datasets.banking.in_memory(pictures)),
        each=datasets.banking.poll,
    )
    losses = WeightedLosses(spec.train.losses).to(device)
    trainer = Trainer(
        spec=spec,
        device=device,
        net=net,
        ema=Ema(net, spec.train.ema_decay),
        step=Step(net, losses, spec, device, lambda action: trainer.act(action), team),
        batches=batches,
        validator=validator,
        state=state,
        saver=saver,
        reporter=reporter,
        stop=stop,
        gallery=gallery,
        given=given or {},
        devices=devices,
        until=int(given["until"]) if given and given.get("until") else None,
        initial=lambda: begin(spec, datasets.identities, unheard, unheard),
    )
    trainer.load(tensors, state)
    return trainer
