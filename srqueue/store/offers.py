"""Offers and lots: what a worker has, what a ready job needs, and whether they fit.

A *lot* is what decides, beside device class and runs root, who may claim a job and whose turn it is: jobs of
one lot lie in one ready set, best first. It is made in prelude.lua (`lot_of`): parts `<letter>=<value>` with
`;` between them, the empty lot for a job that needs nothing. The letters are

    m, p  bytes of GPU memory: asked for, and measured or guessed (a CPU will do for the latter)
    g     GPUs            c  compute capability, 86 for 8.6      f  a feature
    h     host            l  a label, key=value
    u, k  the user and the campaign with which it shares; nothing that a worker must have
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Self

from srqueue.spec.needs import NeedsSpec, capability

_SHARES = ("u", "k")
CONTEXT = 3 << 28
"""Bytes of a GPU that a trainer takes and torch does not count; see workers.trainer.budget."""
_COARSE = 8  # steps from one power of two to the next


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What one job gets on a worker. `memory`: bytes of one GPU, or of the job's part of it; 0 on a CPU.
    `capability`: 86 for a compute capability of 8.6. `model`: for people."""

    host: str = ""
    memory: int = 0
    gpus: int = 0
    capability: int = 0
    features: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    model: str = ""

    def to_json(self) -> str:
        """What `from_json` and the scripts read."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Reads it; keys of another version are left out."""
        raw = json.loads(text)
        known: dict[str, Any] = {key: raw[key] for key in cls.__dataclass_fields__ if key in raw}
        lists = {key: tuple(value) for key, value in known.items() if isinstance(value, list)}
        return cls(**{**known, **lists})

    def has(self, letter: str, value: str) -> bool:
        """Whether it has what one part of a lot asks for."""
        match letter:
            case "m":
                return float(value) <= self.memory
            case "p":
                return not self.memory or float(value) <= self.memory
            case "g":
                return int(value) <= self.gpus
            case "c":
                return int(value) <= self.capability
            case "f":
                return value in self.features
            case "h":
                host = self.host.lower()
                return value in (host, host.partition(".")[0])
            case "l":
                return value in self.labels
        return letter in _SHARES


def parts_of(lot: str) -> Iterator[tuple[str, str]]:
    """(letter, value) of a lot."""
    for part in filter(None, lot.split(";")):
        letter, _, value = part.partition("=")
        yield letter, value


def fits(offer: Offer | None, lot: str) -> bool:
    """Whether a worker may claim jobs of a lot. None: one of the version before, which knows no lots."""
    if offer is None:
        return not lot
    return all(offer.has(letter, value) for letter, value in parts_of(lot))


def needed(lot: str) -> str:
    """A lot without whose it is."""
    return ";".join(f"{k}={v}" for k, v in parts_of(lot) if k not in _SHARES)


def fitting(lots: Iterable[str], offers: Iterable[Offer | None]) -> set[str]:
    """Those lots that one of the workers may claim; the empty one is not asked about."""
    known = set(offers)
    return {lot for lot in lots if any(fits(offer, lot) for offer in known)}


def parts_text(needs: NeedsSpec) -> str:
    """What is needed beside memory, as the record holds it: parts of a lot."""
    least = max((found for f in needs.require if (found := capability(f)) is not None), default=0)
    parts = [
        *([f"g={needs.gpus}"] if needs.gpus else []),
        *([f"c={least}"] if least else []),
        *(f"f={name}" for name in sorted(needs.require) if capability(name) is None),
        *([f"h={needs.host}"] if needs.host else []),
        *(f"l={label}" for label in sorted(needs.labels)),
    ]
    return ";".join(parts)


def needs_from(gpu_memory: int | None, text: str | None) -> NeedsSpec:
    """The other way round."""
    found: dict[str, list[str]] = {}
    for letter, value in parts_of(text or ""):
        found.setdefault(letter, []).append(value)
    features = [f"cc{int(c) // 10}.{int(c) % 10}" for c in found.get("c", [])] + found.get("f", [])
    return NeedsSpec(
        gpu_memory=gpu_memory, gpus=int(found.get("g", ["0"])[0]), require=tuple(features),
        host=found.get("h", [None])[0], labels=tuple(found.get("l", [])),
    )  # fmt: skip


def coarse(amount: int) -> int:
    """Bytes rounded up by an eighth at most, so that measured figures make few lots; a GiB at the least."""
    amount = max(amount, 1 << 30)
    step = (1 << (amount.bit_length() - 1)) // _COARSE
    return -(-amount // step) * step
