"""From a mapping to a JobSpec, with errors a person can act on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from srqueue.errors import SpecError, UsageError, did_you_mean
from srqueue.run.folder import check_name
from srqueue.spec.job import JobSpec
from srqueue.spec.layers import normalised, origin_of
from srqueue.spec.sections import models_in

_MOST_PROBLEMS = 10


def validate(raw: Mapping[str, Any], where: str, origins: Mapping[str, str] | None = None) -> JobSpec:
    """The JobSpec in `raw`. Raises SpecError that lists every problem by its dotted key, with a hint."""
    if not isinstance(raw, Mapping):
        raise SpecError("a spec must hold `key: value` lines at its top", where=where)
    try:
        return JobSpec.model_validate(normalised(raw, where))
    except ValidationError as error:
        problems = _telling(error.errors())
    lines, hint = [], None
    for problem in problems[:_MOST_PROBLEMS]:
        keys, siblings = _place(problem["loc"])
        if problem["type"].startswith("union_tag"):
            keys.append("type")
        text, hint = _explain(problem, keys[-1] if keys else "", siblings)
        path = ".".join(keys)
        line = (f"{path}: " if path else "") + text + _origin(origins or {}, path, problem)
        lines.append(f"{line}; {hint}" if hint and len(problems) > 1 else line)  # each beside its problem
    if len(problems) > _MOST_PROBLEMS:
        lines.append(f"... and {len(problems) - _MOST_PROBLEMS} more")
    raise SpecError("\n  ".join(lines), where=where, hint=hint if len(problems) == 1 else None)


def _origin(origins: Mapping[str, str], path: str, problem: ErrorDetails) -> str:
    """` (from ...)`, or nothing where it is a default.

    What a whole section is accused of comes from the keys that the message names, else from the section
    where all of it has one origin.
    """
    if problem["type"] == "value_error" and isinstance(problem.get("input"), Mapping):
        named = {}
        for word in re.findall(r"\w+(?:\.\w+)+", problem["msg"]):
            known = next((p for p in origins if p == word or p.endswith(f".{word}")), None)
            if known:
                named[word] = origins[known]
        if len(set(named.values())) > 1:
            return f" ({', '.join(f'{word} from {origin}' for word, origin in named.items())})"
        inside = {origin for known, origin in origins.items() if known.startswith(f"{path}.")}
        found = set(named.values()) or inside or {origin_of(origins, path)}
        origin = found.pop() if len(found) == 1 else "default"
    else:
        origin = origin_of(origins, path) if path else "default"
    return "" if origin == "default" else f" (from {origin})"


def _telling(problems: list[ErrorDetails]) -> list[ErrorDetails]:
    """`problems` without those that only follow from a broken item inside."""
    places = [p["loc"] for p in problems]
    return [
        p
        for p in problems
        if p["type"] != "too_short"
        or not any(o != p["loc"] and o[: len(p["loc"])] == p["loc"] for o in places)
    ]


def _place(loc: tuple[int | str, ...]) -> tuple[list[str], list[type[BaseModel]]]:
    """(`loc` without the tags that pydantic puts in for unions, the spec classes its last key belongs to)."""
    keys: list[str] = []
    owners: list[type[BaseModel]] = []
    options: list[type[BaseModel]] = [JobSpec]
    for part in loc:
        if isinstance(part, int):
            keys.append(str(part))
            continue
        tagged = [model for model in options if _tag(model) == part]
        if tagged and not any(part in model.model_fields for model in options):
            options = tagged
            continue
        if not options and part.startswith(("bool", "int", "float", "literal[", "constrained", "function-")):
            continue
        keys.append(part)
        owners = options
        options = [
            m
            for o in owners
            if part in o.model_fields
            for m in models_in(o.model_fields[part].annotation, items=True)
        ]
    return keys, options if keys and loc and isinstance(loc[-1], str) and loc[-1] != keys[-1] else owners


def _tag(model: type[BaseModel]) -> Any:
    """The value of a class's `type` key, or None."""
    field = model.model_fields.get("type")
    return field.default if field else None


def _explain(problem: ErrorDetails, key: str, siblings: list[type[BaseModel]]) -> tuple[str, str | None]:
    """(what is wrong, what to do) for one of pydantic's errors."""
    kind, value = problem["type"], problem.get("input")
    if kind == "extra_forbidden":
        return "unknown key", did_you_mean(key, {name for model in siblings for name in model.model_fields})
    if kind in ("union_tag_invalid", "literal_error"):
        given = value.get("type") if isinstance(value, Mapping) else value
        raw = str(
            problem.get("ctx", {}).get("expected_tags" if kind == "union_tag_invalid" else "expected", "")
        )
        options = [o.strip().strip("'") for o in raw.replace(" or ", ", ").split(",")]
        return f"unknown value {given!r}", did_you_mean(str(given), options)
    if kind == "union_tag_not_found":
        return "is missing", "name one of the known types"
    if kind == "missing":
        return "is missing", None
    if kind == "too_short":
        return ("needs at least one loss" if key == "losses" else "must not be empty"), None
    if kind in ("model_type", "dict_type"):
        return f"must hold `key: value` lines, not {value!r:.60}", None
    if kind == "string_pattern_mismatch" and key == "name":
        return _wrong_name(str(value), siblings)
    if kind == "string_pattern_mismatch" and key == "identity":
        return f"must be 64 hexadecimal digits, not {value!r:.60}", "leave it out"
    message = problem["msg"].removeprefix("Value error, ")
    if kind == "value_error":
        return message, None
    shown = repr(value)
    return f"{message[0].lower()}{message[1:]}, not {shown[:60]}", None


def _wrong_name(value: str, owners: list[type[BaseModel]]) -> tuple[str, str | None]:
    """What `--name` says to the same name."""
    try:
        check_name(value, "a job" if JobSpec in owners else "a data set")
    except UsageError as error:
        return error.message, error.hint
    return "is no name", None
