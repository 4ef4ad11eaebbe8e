"""YAML and JSON from users, read without surprises.

No tags, no aliases (a small file could unfold into gigabytes), no doubled keys, and `1e-4` is a number
(YAML 1.1 reads it as a string).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from srqueue.errors import SpecError

LARGEST_FILE = 1_000_000
"""Bytes; a spec is a few kilobytes."""


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses aliases and doubled keys."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.constructor.ConstructorError(None, None, "aliases (*name) are not allowed", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                text = "a key must be one word, not a list or a mapping"
                raise yaml.constructor.ConstructorError(None, None, text, key.start_mark)
            if key.value in seen:
                text = f"key {key.value!r} stands here twice"
                raise yaml.constructor.ConstructorError(None, None, text, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# Without numbers to the base of 60: 22:30 is a time and no 1350, and a megabyte of them would take minutes.
_NUMBERS = {
    "int": (r"[-+]?(0b[0-1_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)\Z", "-+0123456789"),
    "float": (
        r"([-+]?([0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|\.[0-9][0-9_]*([eE][-+]?[0-9]+)?"
        r"|\d+[eE][-+]?\d+|\.(inf|Inf|INF))|\.(nan|NaN|NAN))\Z",
        "-+0123456789.",
    ),
}
_Loader.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0].rpartition(":")[2] not in _NUMBERS]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, (_form, _first) in _NUMBERS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_form), list(_first))


def read_yaml(text: str, where: str) -> Any:
    """The value of one YAML (or JSON) document. Raises SpecError with file, line and column."""
    if len(text) > LARGEST_FILE:
        raise SpecError(f"the file is larger than {LARGEST_FILE} bytes", where=where)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f"{where}, line {mark.line + 1}, column {mark.column + 1}" if mark else where
        problem = error.problem or "not YAML"
        hint = None
        if "could not determine a constructor" in problem:
            problem, hint = "tags such as !!python are not allowed", "write plain values"
        raise SpecError(f"cannot read the YAML: {problem}", where=at, hint=hint) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SpecError(f"cannot read the YAML: {type(error).__name__}: {error}", where=where) from None


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises SpecError where it is missing, unreadable or no mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SpecError(f"cannot read {path}: {reason}", where=str(path)) from None
    value = read_yaml(text, str(path))
    if not isinstance(value, dict):
        raise SpecError("the file must hold `key: value` lines at its top", where=str(path))
    return value


def read_value(text: str, where: str) -> Any:
    """One value of `--set key=value`, read as YAML: 5e-5 is a number, true a truth value."""
    return read_yaml(text, where) if text.strip() else ""
