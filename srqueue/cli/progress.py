"""Where a training stands, gathered from its record and events, and told in a line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from srqueue.cli.output import duration, wish_text
from srqueue.forecast.told import Told

if TYPE_CHECKING:
    from srqueue.run.events import Event
    from srqueue.store.record import JobRecord

# Values of a record's `progress` by the event key they come from.
_OF_RECORD = {
    "psnr": "val/psnr",
    "ssim": "val/ssim",
    "best_psnr": "best_psnr",
    "bicubic_psnr": "bicubic/psnr",
    "bicubic_ssim": "bicubic/ssim",
}


@dataclass
class Progress:
    """The newest values of one training. PSNR in dB, speed in iterations a second, `eta_s` in seconds."""

    state: str = "queued"
    wish: str | None = None
    phase: str | None = None
    iteration: int = 0
    total: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    validations: int = 0

    def see_record(self, record: JobRecord) -> None:
        """Takes over what the job's record says."""
        self.state = record.state.value
        self.wish = wish_text(record)
        self.total = record.total_iter
        self.iteration = max(self.iteration, record.iteration)
        for key, value in record.progress.items():
            if key == "phase":
                self.phase = value
            elif value is not None:
                self.values[_OF_RECORD.get(key, key)] = value

    def see_event(self, event: Event) -> None:
        """Takes over what one event says."""
        self.iteration = event.it
        if event.kind == "phase":
            self.phase = str(event.data.get("phase"))
        elif event.kind in ("train", "val"):
            self.values.update({k: v for k, v in event.data.items() if v is not None})
            self.total = int(event.data.get("total_iter", self.total))
            self.validations += event.kind == "val"

    @property
    def share(self) -> float:
        """Iterations done, 0 to 1."""
        return min(1.0, self.iteration / self.total) if self.total else 0.0

    def steps(self) -> str:
        """`it 1200/3000   52.1 it/s   loss 0.0212   ETA 35s`"""
        parts = [f"it {self.iteration}/{self.total}" if self.total else f"it {self.iteration}"]
        if (speed := _number(self.values, "it_s")) is not None:
            parts.append(f"{speed:.1f} it/s")
        if (loss := _number(self.values, "loss")) is not None:
            parts.append(f"loss {loss:.4f}")
        if (eta := _number(self.values, "eta_s")) is not None:
            parts.append(f"ETA {duration(eta)}")
        return "   ".join(parts)

    def quality(self) -> str:
        """`PSNR 31.22 dB (bicubic 30.10, +1.12)   SSIM 0.9312 (bicubic 0.9101)`; empty without validation."""
        parts = []
        psnr, base = _number(self.values, "val/psnr"), _number(self.values, "bicubic/psnr")
        if psnr is not None:
            beside = "" if base is None else f" (bicubic {base:.2f}, {psnr - base:+.2f})"
            parts.append(f"PSNR {psnr:.2f} dB{beside}")
        ssim, base = _number(self.values, "val/ssim"), _number(self.values, "bicubic/ssim")
        if ssim is not None:
            parts.append(f"SSIM {ssim:.4f}" + ("" if base is None else f" (bicubic {base:.4f})"))
        if (told := Told.of(self.values)) is not None and (end := told.sentence(time.time())) is not None:
            parts.append(end)
        return "   ".join(parts)

    def doing(self) -> str:
        """One word for what happens now; more where something is asked of the job."""
        if self.state != "running":
            return self.state
        return self.wish or self.phase or "starting"


def news(event: Event) -> str | None:
    """A line for an event that a watcher should not miss, else None."""
    data = event.data
    if event.kind == "message":
        level = data.get("level")
        return f"{level if level in ('warning', 'error') else 'note'}: {data.get('text')}"
    if event.kind == "action":
        return f"{data.get('by')}: {data.get('did')} ({data.get('reason')})"
    if event.kind == "phase" and data.get("phase") == "restored":
        return f"goes on from iteration {event.it}"
    return None


def _number(values: Mapping[str, Any], key: str) -> float | None:
    value = values.get(key)
    return float(value) if isinstance(value, int | float) else None
