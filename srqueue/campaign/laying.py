"""What the parts of a campaign file mean together: a stage over what all share, a command line over both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from srqueue.errors import SpecError
from srqueue.spec.layers import leaves

SHORT = {
    "presets": "preset", "datasets": "dataset", "archs": "arch", "architectures": "arch",
    "architecture": "arch", "seeds": "seed", "scales": "scale",
}  # fmt: skip
"""Other words for the keys of a cell."""


def laid(shared: Mapping[str, Any], stage: Any, where: str) -> dict[str, Any]:
    """What all stages share, and over it what the stage says itself.

    Raises SpecError where its base says what the shared matrix would say otherwise for every cell.
    """
    if not isinstance(stage, Mapping):
        raise SpecError("a stage must hold `key: value` lines", where=where)
    inherited = {"matrix": shared.get("matrix"), "search": stage.get("search", shared.get("search"))}
    if unheard := _keys(stage.get("base")) & (_varied(inherited) - _varied(stage)):
        raise SpecError(
            f"{', '.join(sorted(unheard))}: its base gives one value, the campaign's matrix others",
            where=where,
            hint="a stage has the campaign's matrix, too; move that into the stages that are to have it",
        )
    found = {**shared, **stage}
    above, own = shared.get("base"), stage.get("base")
    if isinstance(above, Mapping) and isinstance(own, Mapping):
        found["base"] = _over(above, own)
    above, own = shared.get("matrix"), stage.get("matrix")
    if isinstance(above, Mapping) and isinstance(own, Mapping):
        found["matrix"] = {**above, **own}
    for key in ("include", "exclude", "overrides"):
        above, own = shared.get(key), stage.get(key)
        if isinstance(above, list) and isinstance(own, list):
            found[key] = [*above, *own]
    return found


def changed(raw: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A campaign's mapping with the values of a command line in every base: they win over the file's.

    Raises SpecError where a matrix or a search gives one of them other values.
    """
    if not changes:
        return dict(raw)
    stages = raw.get("stages")
    of_stages = dict(stages) if isinstance(stages, Mapping) else {}
    for name, stage in [("", raw), *of_stages.items()]:
        if varied := sorted(_varied(stage) & _keys(changes)):
            raise SpecError(
                f"{', '.join(varied)}: given one value, and {f'stage {name}' if name else 'the campaign'} "
                "varies it",
                where=where,
                hint="edit the matrix or the search in the file; of one that comes with srqueue make a copy: "
                "srqueue campaign new FILE --like NAME",
            )
    base = raw.get("base") or {}
    found = {**raw, "base": _over(base, changes) if isinstance(base, Mapping) else base}
    for name, stage in of_stages.items():
        if isinstance(stage, Mapping) and isinstance(stage.get("base"), Mapping):
            of_stages[name] = {**stage, "base": _over(stage["base"], changes)}
    return {**found, "stages": of_stages} if of_stages else found


def plain(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Keys with their full names, sections as dotted paths. `datasets` with lines below it is the section."""
    return dict(
        leaves({key if isinstance(v, Mapping) else SHORT.get(key, key): v for key, v in keys.items()})
    )


def _varied(stage: Any) -> set[str]:
    """What a matrix and a search give several values."""
    if not isinstance(stage, Mapping):
        return set()
    search = stage.get("search")
    space = search.get("space") if isinstance(search, Mapping) else None
    return _keys(stage.get("matrix")) | (set(space) if isinstance(space, Mapping) else set())


def _keys(part: Any) -> set[str]:
    return set(plain(part)) if isinstance(part, Mapping) else set()


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One base over another, key by key; another `type` begins its section anew."""
    found, own = plain(below), plain(above)
    for key, value in own.items():
        section, _, last = key.rpartition(".")
        if section and last == "type" and found.get(key, value) != value:
            found = {k: v for k, v in found.items() if not k.startswith(f"{section}.")}
    return {**{k: v for k, v in found.items() if k not in own}, **own}
