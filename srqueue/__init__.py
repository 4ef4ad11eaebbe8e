"""Queue super-resolution trainings.

The public names are loaded when first used, so that `import srqueue` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from srqueue.from_python import Campaign
    from srqueue.queue.client import Client, submit
    from srqueue.zero_config import create_zero_config_training

__version__ = "0.1.0"
__all__ = ["Campaign", "Client", "create_zero_config_training", "submit"]

_HOMES = {
    "Campaign": "srqueue.from_python",
    "Client": "srqueue.queue.client",
    "submit": "srqueue.queue.client",
    "create_zero_config_training": "srqueue.zero_config",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'srqueue' has no attribute {name!r}")
