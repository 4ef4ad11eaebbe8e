"""What an event says, in a line."""

from __future__ import annotations

from typing import Any

from srqueue.run.events import Event

_PHASES = {
    "started": "begins", "restored": "goes on from a checkpoint", "loading": "loads what it trains on",
    "preflight": "is tried before the long run", "training": "trains", "validating": "validates",
    "exporting": "exports its model",
}  # fmt: skip


def said(event: Event) -> str:
    """Empty for an event that is only a point of a curve."""
    data, kind = event.data, event.kind
    if kind == "val":
        return "; ".join(
            filter(None, [_beside(data, "psnr", ".2f", " dB"), _beside(data, "ssim", ".4f", "")])
        )
    if kind == "checkpoint":
        return f"saved {data.get('name', 'a checkpoint')}"
    if kind == "action":
        return f"{data.get('by')}: {data.get('did')} ({data.get('reason')})"
    if kind == "message":
        level = data.get("level")
        return f"{level}: {data.get('text')}" if level in ("warning", "error") else str(data.get("text"))
    if kind == "phase":
        phase = str(data.get("phase"))
        return f"attempt {event.token} {_PHASES.get(phase, phase)}"
    if kind == "fingerprint":
        return "numerics: " + ", ".join(f"{k} {v}" for k, v in data.items() if not isinstance(v, dict | list))
    return ""


def _beside(data: dict[str, Any], metric: str, digits: str, unit: str) -> str:
    """`PSNR 31.20 dB (bicubic 30.10)`."""
    value, base = data.get(f"val/{metric}"), data.get(f"bicubic/{metric}")
    if not isinstance(value, int | float):
        return ""
    beside = f" (bicubic {base:{digits}})" if isinstance(base, int | float) else ""
    return f"{metric.upper()} {value:{digits}}{unit}{beside}"
