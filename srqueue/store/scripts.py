"""The Lua scripts, loaded from `lua/`: each file between the prelude and the epilogue they share."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

SHARED = ("prelude", "lots", "quotas", "epilogue")
"""Files that are no scripts: they stand before or behind them."""
_BEFORE = {
    **dict.fromkeys(("claim", "preempt", "loosen"), "lots"),  # who may take what, and whose turn it is
    **dict.fromkeys(("create", "room", "requeue", "rehold"), "quotas"),
}
"""What else stands before a script."""


@cache
def script(name: str) -> str:
    """Source of one script. The prelude gives it the key map and the state changes, the epilogue runs it."""
    folder = files("srqueue.store") / "lua"
    parts = ["prelude", *([_BEFORE[name]] if name in _BEFORE else [])]
    shared = "".join((folder / f"{part}.lua").read_text() for part in parts)
    own, after = ((folder / f"{part}.lua").read_text() for part in (name, "epilogue"))
    return f"{shared}local function act()\n{own}{after}"
