"""One data set of this machine's registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from srqueue.errors import SpecError, did_you_mean

Count = Annotated[int, Field(ge=0)]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True)
class DatasetEntry:
    """A data set: where it lies on this machine, and what was found there when it was added."""

    name: str
    hr: str | tuple[str, ...]  # absolute folder of the originals, or several
    identity: Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
    lr: str | tuple[str, ...] | None = None  # as many folders of small pictures; None: made from HR
    scale: Literal[2, 3, 4] | None = None  # fixed by the LR folder or the user
    val: str | None = None  # another data set; None: the held-out share of this one
    pictures: Count = 0  # usable ones, held-out share included
    held_out: Count = 0
    quarantined: Count = 0  # found, but broken or refused; never used
    min_width: Count = 0  # pixels, over the pictures that are trained on
    min_height: Count = 0
    median_width: Count = 0  # pixels, likewise; 0: not known, the set was added by an older version
    median_height: Count = 0
    p5_side: Count = 0  # pixels: a twentieth of the pictures have a shorter side below this
    sharpness: Annotated[float, Field(ge=0)] = 0.0  # median, see workers.data_tools.sharpness; 0: not known
    pair_psnr: Annotated[float, Field(ge=0)] = (
        0.0  # dB, median over the pairs, see Picture.lr_psnr; 0: not known
    )
    kinds: dict[str, int] = field(default_factory=dict)  # "rgb", "grey", "rgb 16-bit", ... -> pictures
    licence: str | None = None
    source: str | None = None
    added: str = ""  # UTC, ISO 8601

    @property
    def hr_roots(self) -> tuple[str, ...]:
        """Folders of the originals, one or more."""
        return (self.hr,) if isinstance(self.hr, str) else self.hr

    @property
    def lr_roots(self) -> tuple[str, ...]:
        """Folders of the small pictures; none where they are made from HR."""
        return (self.lr,) if isinstance(self.lr, str) else self.lr or ()

    @property
    def folders(self) -> tuple[str, ...]:
        """All folders that must be there."""
        return (*self.hr_roots, *self.lr_roots)

    def as_mapping(self) -> dict[str, Any]:
        """The entry as it stands in the YAML file, under its name."""
        mapping = asdict(self)
        del mapping["name"]
        return mapping


_ADAPTER = TypeAdapter(DatasetEntry)


def read_entry(name: str, raw: object, where: str) -> DatasetEntry:
    """Reads one entry of the file. Raises SpecError that names the key which does not hold."""
    if not isinstance(raw, Mapping):
        raise SpecError(f"data set {name!r} must hold `key: value` lines", where=where)
    try:
        entry = _ADAPTER.validate_python({**raw, "name": name})
        if not entry.hr_roots or len(entry.lr_roots) not in (0, len(entry.hr_roots)):
            raise SpecError(f"data set {name!r}, lr: as many folders as hr has, or none", where=where)
        return entry
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else ""
        known = [f.name for f in fields(DatasetEntry)]
        if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            message, hint = f"unknown key {key!r} in data set {name!r}", did_you_mean(key, known)
        else:
            message = f"data set {name!r}, {key}: {first['msg']}"
            hint = "mend the line, or add the data set again with `srqueue dataset add ... --replace`"
        raise SpecError(message, where=where, hint=hint) from None
