"""job.json: what the queue knows of a job and no other file of its run folder tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from srqueue.run.atomic import write_json
from srqueue.run.parsing import from_json

CARD_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class JobCard:
    """Written anew with every attempt, so that the record can be rebuilt where Redis has lost it."""

    id: str
    name: str
    priority: int  # 0 to 9, 9 first
    device_class: str  # any, cpu, cuda
    origins: Mapping[str, str]
    created: float  # UTC s
    spec_id: str
    campaigns: Sequence[str] = ()  # names
    maker: str = ""  # the campaign that made it, `-` for none; unknown in a folder of an older version
    rungs: Sequence[int] = ()  # iterations at which a search compares it with others
    signature: str = ""  # of who submitted it
    user: str = ""  # who submitted it
    share: str = ""  # campaign that takes turns with the user's others
    gpu_memory: int = 0  # bytes of a GPU that it was said to need
    peak: int = 0  # bytes that it was measured to need, by earlier attempts
    needs: str = ""  # what else its worker must have, as the record holds it
    v: int = CARD_VERSION

    def write(self, path: Path) -> None:
        """Writes the card whole or not at all."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> JobCard | None:
        """The card at `path`, or None where there is none: an older version made the folder.

        Raises OSError, ValueError or TypeError where it cannot be read, or is of a later version.
        """
        try:
            raw = from_json(path.read_text())
        except FileNotFoundError:
            return None
        if not isinstance(raw, dict) or raw.get("v") != CARD_VERSION:
            raise ValueError(f"{path.name} is not of version {CARD_VERSION}")
        return cls(**{key: raw[key] for key in raw if key in cls.__dataclass_fields__})
