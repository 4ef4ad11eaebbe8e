"""A spec as YAML, with the origin of every value as a comment where wanted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from srqueue.spec.layers import origin_of

_COMMENT_COLUMN = 56


def annotated_yaml(spec: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    """YAML of a whole spec; each value's line ends in `# where it came from`."""
    lines = []
    for text, path in _lines(spec, "", ""):
        if path is None:
            lines.append(text)
        else:
            lines.append(f"{text:<{_COMMENT_COLUMN}}  # {origin_of(origins, path)}")
    return "\n".join(lines) + "\n"


def plain_yaml(spec: Mapping[str, Any]) -> str:
    """YAML of a spec or of a part of one, without comments."""
    return "".join(f"{text}\n" for text, _ in _lines(spec, "", ""))


def scalar(value: Any) -> str:
    """One value (or key) in YAML's flow style."""
    import yaml

    shown = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True
    ).strip()
    shown = shown.removesuffix("\n...").strip()
    # PyYAML leaves 1e-4 as a bare word; our reader, as everybody else's, takes it for a number.
    return (
        json.dumps(value, ensure_ascii=False) if isinstance(value, str) and _misread(shown, value) else shown
    )


def _misread(shown: str, value: str) -> bool:
    from srqueue.errors import SpecError
    from srqueue.spec.reading import read_value

    try:
        return bool(read_value(shown, "a value") != value)
    except SpecError:
        return True


def _lines(node: Mapping[str, Any], path: str, indent: str) -> Iterator[tuple[str, str | None]]:
    """(line, dotted path of its value or None for a mere heading) of a mapping."""
    for key, value in node.items():
        here = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            yield f"{indent}{scalar(key)}:", None
            yield from _lines(value, here, indent + "  ")
        elif _holds_mappings(value):
            yield f"{indent}{scalar(key)}:", None
            for place, item in enumerate(value):
                yield f"{indent}  - {scalar(dict(item))}", f"{here}.{place}"
        else:
            yield f"{indent}{scalar(key)}: {scalar(value)}", here


def _holds_mappings(value: Any) -> bool:
    return isinstance(value, Sequence) and bool(value) and all(isinstance(item, Mapping) for item in value)
