"""The Lua scripts, loaded from `lua/`: each file between the prelude and the epilogue they share."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def script(name: str) -> str:
    """Source of one script. The prelude gives it the key map and the state changes, the epilogue runs it."""
    folder = files("srqueue.store") / "lua"
    own = (folder / f"{name}.lua").read_text()
    parts = (folder / "prelude.lua").read_text(), "local function act()\n", own
    return "".join(parts) + (folder / "epilogue.lua").read_text()
