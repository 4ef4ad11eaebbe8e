"""What a job needs of the worker that trains it. Where it is trained changes no bit on equal devices, so that
none of this is part of what a training is."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer

from srqueue.errors import SpecError, did_you_mean
from srqueue.spec.base import Frozen

FEATURES = {"fp16": (5, 3), "tensor-cores": (7, 0), "bf16": (8, 0), "tf32": (8, 0), "fp8": (8, 9)}
"""What can be required by name, and the least compute capability of a GPU that computes in it."""

_UNITS = {
    "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)\Z")
_CAPABILITY = re.compile(r"cc(\d{1,2})\.(\d)\Z")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}\Z")
_LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}=[A-Za-z0-9_.-]{1,63}\Z")
_MOST_LABELS = 16


def parse_memory(text: str) -> int:
    """Bytes of `12GB`, `12GiB` or `800 MB`. Raises SpecError with a hint."""
    found = _MEMORY.match(text.strip())
    unit = found[2].upper() if found else ""
    if len(unit) == 1 and unit in "KMGT":
        unit += "B"
    if found is None or unit not in _UNITS:
        raise SpecError(f"{text!r} is no amount of memory", hint="write it as 12GB, 12GiB or 800MB")
    amount = round(float(found[1]) * _UNITS[unit])
    if not 0 < amount < 2**50:
        raise SpecError(f"{text!r} is no card's memory", hint="write it as 12GB, 12GiB or 800MB")
    return amount


def memory_text(amount: int) -> str:
    """`12GB`, `12GiB`, `800MB`: the shortest that is the same number of bytes."""
    for unit in ("TB", "TiB", "GB", "GiB", "MB", "MiB"):
        if amount and amount % _UNITS[unit.upper()] == 0:
            return f"{amount // _UNITS[unit.upper()]}{unit}"
    return f"{amount}B"


def parse_feature(text: str) -> str:
    """A name of FEATURES, or `cc8.0`: a compute capability at least. Raises SpecError with a hint."""
    word = text.strip().lower()
    if word in FEATURES or _CAPABILITY.match(word):
        return word
    raise SpecError(
        f"no feature {text!r}", hint=f"{did_you_mean(word, FEATURES)} (or a compute capability, as cc8.0)"
    )


def capability(feature: str) -> int | None:
    """80 of `cc8.0`; None of a name."""
    found = _CAPABILITY.match(feature)
    return int(found[1]) * 10 + int(found[2]) if found else None


def parse_host(text: str) -> str:
    """The name of a machine, in small letters. Raises SpecError."""
    if not _HOST.match(text.strip()):
        raise SpecError(f"{text!r} is no name of a machine", hint="see: srqueue top, column HOST")
    return text.strip().lower()


def parse_label(text: str) -> str:
    """`key=value`. Raises SpecError with a hint."""
    key, equals, value = text.strip().partition("=")
    label = f"{key.strip()}={value.strip()}"
    if not equals or not _LABEL.match(label):
        raise SpecError(
            f"{text!r} is no label",
            hint="write it as gpu=a100: letters, digits, dots and dashes on both sides",
        )
    return label


def parse_labels(text: str) -> tuple[str, ...]:
    """Those of SRQUEUE_LABELS, by commas. Raises SpecError where a key stands twice."""
    found = tuple(parse_label(one) for one in text.split(",") if one.strip())
    return _one_each(found)


def _one_each(labels: tuple[str, ...]) -> tuple[str, ...]:
    keys = [label.partition("=")[0] for label in labels]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise SpecError(f"the label {twice} stands twice", hint="one value for each key")
    if len(labels) > _MOST_LABELS:
        raise SpecError(f"{len(labels)} labels are more than {_MOST_LABELS}")
    return tuple(sorted(labels))


def _told(error: SpecError) -> ValueError:
    return ValueError("; ".join(filter(None, [error.message, error.hint])))


def _memory(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value}B"
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no amount of memory; write it as 12GB")
    try:
        return parse_memory(value)
    except SpecError as error:
        raise _told(error) from None


def _each(parse: Any) -> Any:
    def parsed(value: Any) -> Any:
        given = (value,) if isinstance(value, str) else value
        if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
            return given  # the type says what is wrong
        try:
            return tuple(
                dict.fromkeys(parse(part) for one in given for part in one.split(",") if part.strip())
            )
        except SpecError as error:
            raise _told(error) from None

    return parsed


def _labels(value: Any) -> Any:
    if isinstance(value, dict):
        value = [f"{key}={one}" for key, one in value.items()]
    found = _each(parse_label)(value)
    if not isinstance(found, tuple):
        return found
    try:
        return _one_each(found)
    except SpecError as error:
        raise _told(error) from None


def _host(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_host(value)
    except SpecError as error:
        raise _told(error) from None


Memory = Annotated[
    int, BeforeValidator(_memory), PlainSerializer(memory_text, return_type=str, when_used="json")
]


class NeedsSpec(Frozen):
    """What the worker must have. Nothing is needed where nothing is said."""

    gpu_memory: Memory | None = Field(None, description="of one GPU, such as 12GB (bytes)")
    gpus: int = Field(0, ge=0, le=64, description="GPUs that its worker has at least")
    require: Annotated[tuple[str, ...], BeforeValidator(_each(parse_feature))] = Field(
        (), description="fp16, bf16, tf32, fp8, tensor-cores, or a compute capability such as cc8.0"
    )
    host: Annotated[str, BeforeValidator(_host)] | None = Field(None, description="the machine it runs on")
    labels: Annotated[tuple[str, ...], BeforeValidator(_labels)] = Field(
        (), description="that its worker was given with --label, such as gpu=a100"
    )

    @property
    def wants_gpu(self) -> bool:
        """Whether only a GPU can have it. bf16 some CPUs compute in, too."""
        return bool(self.gpu_memory or self.gpus or set(self.require) - {"bf16"})

    def __bool__(self) -> bool:
        return self != NeedsSpec()


def needs_text(needs: NeedsSpec) -> str:
    """`12GB of GPU memory, 2 GPUs, bf16, host box1, gpu=a100`; empty where nothing is needed."""
    parts = [
        f"{memory_text(needs.gpu_memory)} of GPU memory" if needs.gpu_memory else "",
        f"{needs.gpus} GPU{'' if needs.gpus == 1 else 's'}" if needs.gpus else "",
        *needs.require,
        f"host {needs.host}" if needs.host else "",
        *needs.labels,
    ]
    return ", ".join(filter(None, parts))
