"""What each ParagonSR2 was by default in the original code: arguments, in our names and signs.

Read from its factories: nano to xl as of 2025-12-01, realtime and stream as of January 2026. They call alpha
`upsampler_alpha`; what was called sharpening there blurs, so it is below 0 in our signs.
"""

from __future__ import annotations


def _began(alpha: float, detail_gain: float) -> dict[str, float]:
    return {"alpha": alpha, "detail_gain": detail_gain, "layer_scale": 1e-5}


ORIGINALS: dict[str, dict[str, float]] = {
    "paragonsr2_nano": _began(-0.4, 0.05),
    "paragonsr2_micro": _began(-0.45, 0.08),
    "paragonsr2_tiny": _began(-0.5, 0.1),
    "paragonsr2_xs": _began(-0.5, 0.1),
    "paragonsr2_s": _began(-0.5, 0.1),
    "paragonsr2_m": _began(-0.5, 0.1),
    "paragonsr2_l": _began(-0.55, 0.1),
    "paragonsr2_xl": _began(-0.6, 0.1),
    "paragonsr2_realtime": _began(-0.3, 0.05),
    "paragonsr2_stream": _began(0.0, 0.1),
}
"""`type` -> the arguments that make our network begin as the original did."""

_DECEMBER = {
    "fast_body_mode": True,
    "use_norm": True,
    "use_channel_mod": True,
    "use_content_aware": True,
    "use_attention": True,
}
_LARGE = {**_DECEMBER, "fast_body_mode": False, "use_content_aware": None, "use_attention": None}
_JANUARY = {"attention_mode": None, "export_safe": None, "window_size": None}

SWITCHES: dict[str, dict[str, bool | None]] = {
    "paragonsr2_nano": {**_DECEMBER, "use_norm": False, "use_channel_mod": False},
    "paragonsr2_micro": {**_DECEMBER, "use_norm": False},
    "paragonsr2_tiny": {**_DECEMBER},
    "paragonsr2_xs": {**_DECEMBER},
    "paragonsr2_s": {**_DECEMBER},
    "paragonsr2_m": {**_DECEMBER, "fast_body_mode": False},
    "paragonsr2_l": {**_LARGE},
    "paragonsr2_xl": {**_LARGE},
    "paragonsr2_realtime": {**_JANUARY},
    "paragonsr2_stream": {**_JANUARY},
}
"""`type` -> switches of its parts, with the default that its tensors here have; None: not read there."""
