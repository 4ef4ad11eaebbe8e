"""The Lua scripts, loaded from `lua/`: each file behind the prelude they share."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def script(name: str) -> str:
    """Source of one script. The prelude gives it the key map and the state changes."""
    folder = files("srqueue.store") / "lua"
    return (folder / "prelude.lua").read_text() + (folder / f"{name}.lua").read_text()
