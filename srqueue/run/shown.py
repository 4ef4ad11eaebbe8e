"""What of an event is shown as the job's progress."""

from __future__ import annotations

from typing import Any

from srqueue.run.events import Event

# Progress on the record <- key of the event.
_TRAIN = {
    "loss": "loss", "lr": "lr", "it_s": "it_s", "eta_s": "eta_s", "kwh": "kwh",
    "kwh_estimated": "kwh_estimated", "attempt_kwh": "attempt_kwh",
}  # fmt: skip
_VAL = {
    "psnr": "val/psnr",
    "ssim": "val/ssim",
    "best_psnr": "best_psnr",
    "bicubic_psnr": "bicubic/psnr",
    "bicubic_ssim": "bicubic/ssim",
    "validation_s": "seconds",
}
_ON = {"device": "device", "cuda": "cuda"}
_SHOWN = {"train": _TRAIN, "val": _VAL, "phase": {"phase": "phase"}, "fingerprint": _ON}
_OF_A_DEVICE = (*_ON, "it_s", "eta_s", "validation_s")
"""What another device, of which a fingerprint tells, makes void."""


def show(progress: dict[str, Any], event: Event) -> None:
    """Brings the progress on a record up to what an event says; most say nothing of it."""
    keys = _SHOWN.get(event.kind, {})
    if event.kind == "fingerprint":
        for name in _OF_A_DEVICE:
            progress.pop(name, None)
    found = {name: event.data[key] for name, key in keys.items() if event.data.get(key) is not None}
    progress.update({**found, "kwh_token": event.token} if "attempt_kwh" in found else found)
