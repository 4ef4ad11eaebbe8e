"""The Lua scripts, loaded from `lua/`: each file between the prelude and the epilogue they share."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

SHARED = ("prelude", "lots", "epilogue")
"""Files that are no scripts: they stand before or behind them."""
_CHOOSE = ("claim", "preempt")
"""Scripts that look at lots and at whose turn it is."""


@cache
def script(name: str) -> str:
    """Source of one script. The prelude gives it the key map and the state changes, the epilogue runs it."""
    folder = files("srqueue.store") / "lua"
    parts = ["prelude", *(["lots"] if name in _CHOOSE else [])]
    shared = "".join((folder / f"{part}.lua").read_text() for part in parts)
    own, after = ((folder / f"{part}.lua").read_text() for part in (name, "epilogue"))
    return f"{shared}local function act()\n{own}{after}"
