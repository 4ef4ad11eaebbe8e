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
    hr: str  # absolute folder of the originals
    identity: Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
    lr: str | None = None  # absolute folder of the small pictures; None: made from HR
    scale: Literal[2, 3, 4] | None = None  # fixed by the LR folder or the user
    val: str | None = None  # another data set; None: the held-out share of this one
    pictures: Count = 0  # usable ones, held-out share included
    held_out: Count = 0
    quarantined: Count = 0  # found, but broken or refused; never used
    min_width: Count = 0  # pixels, over the pictures that are trained on
    min_height: Count = 0
    kinds: dict[str, int] = field(default_factory=dict)  # "rgb", "grey", "rgb 16-bit", ... -> pictures
    licence: str | None = None
    source: str | None = None
    added: str = ""  # UTC, ISO 8601

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
        return _ADAPTER.validate_python({**raw, "name": name})
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
