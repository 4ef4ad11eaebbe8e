"""Which dotted paths of a spec are sections: known by the spec classes, whatever they hold."""

from __future__ import annotations

import types
import typing
from typing import Any

from pydantic import BaseModel

from srqueue.spec.job import JobSpec


def is_section(path: str) -> bool:
    """Whether a dotted path names a mapping of known keys in some spec."""
    options: list[type[BaseModel]] = [JobSpec]
    for key in path.split("."):
        options = [
            model
            for owner in options
            if key in owner.model_fields
            for model in models_in(owner.model_fields[key].annotation)
        ]
    return bool(options)


def models_in(annotation: Any, *, items: bool = False) -> list[type[BaseModel]]:
    """The spec classes that an annotation allows; with `items` those of a list's items too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    through = (typing.Union, types.UnionType, typing.Annotated, *((tuple,) if items else ()))
    if typing.get_origin(annotation) in through:
        return [m for part in typing.get_args(annotation) for m in models_in(part, items=items)]
    return []
