"""What tells the eight sizes of ParagonSR2 apart, as they were built by default on 2025-12-01.

Their published names spoke of more groups and blocks for nano to s; what was built by default had half of
them, and those are the shapes that exist in files.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """One size."""

    channels: int
    groups: int
    blocks: int
    """In each group."""
    ratio: float
    """Hidden channels of a feed-forward part to `channels`, rounded down."""
    kernel: int
    """Length of the 1xK and Kx1 depthwise convolutions."""
    norm: bool
    modulation: bool
    attention: bool

    @property
    def hidden(self) -> int:
        """Channels inside a feed-forward part."""
        return int(self.channels * self.ratio)


VARIANTS = {
    "paragonsr2_nano": Variant(12, 1, 1, 1.2, 7, norm=False, modulation=False, attention=True),
    "paragonsr2_micro": Variant(16, 1, 1, 1.5, 7, norm=False, modulation=True, attention=True),
    "paragonsr2_tiny": Variant(24, 1, 1, 1.5, 9, norm=True, modulation=True, attention=True),
    "paragonsr2_xs": Variant(32, 1, 1, 1.8, 11, norm=True, modulation=True, attention=True),
    "paragonsr2_s": Variant(48, 1, 2, 2.0, 11, norm=True, modulation=True, attention=True),
    "paragonsr2_m": Variant(64, 4, 6, 2.0, 11, norm=True, modulation=True, attention=True),
    "paragonsr2_l": Variant(96, 6, 8, 2.0, 13, norm=True, modulation=True, attention=False),
    "paragonsr2_xl": Variant(128, 8, 10, 2.0, 15, norm=True, modulation=True, attention=False),
}
