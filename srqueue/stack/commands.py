"""How the worker and Flower are started: command lines and environment."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import srqueue
from srqueue.errors import UsageError
from srqueue.monitor.exposure import check_door
from srqueue.settings import Settings

_ROOT_WARNING = "You're running the worker with superuser privileges"
_COLUMNS = "name,state,result,received,started,worker,args"


def child_environment(settings: Settings, **more: str) -> dict[str, str]:
    """This process's environment for a child that may run in another folder.

    Paths are made absolute, and a checkout that is not installed stays importable.
    """
    env = dict(os.environ)
    env["SRQUEUE_HOME"] = str(settings.home.absolute())
    env["SRQUEUE_DATASETS"] = str(settings.datasets.absolute())
    env["SRQUEUE_RUNS"] = str(settings.runs_root)
    env["SRQUEUE_FLOWER_ADDRESS"] = settings.flower_address
    env["SRQUEUE_FLOWER_PORT"] = str(settings.flower_port)
    env.pop("SRQUEUE_FLOWER_AUTH", None)  # a trainer need not know it
    # A folder named `workers` or `celery` where the user stands must not be imported in our place.
    env["PYTHONSAFEPATH"] = "1"
    root = str(Path(srqueue.__file__).absolute().parents[1])
    if Path(root).name not in ("site-packages", "dist-packages"):
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [root, env.get("PYTHONPATH")]))
    return {**env, **more}


def require(module: str, extra: str) -> None:
    """Raises UsageError that names the extra to install where `module` cannot be found."""
    if find_spec(module) is None:
        raise UsageError(
            f"this needs {module}, which is not installed here", hint=f"pip install 'srqueue[{extra}]'"
        )


def worker_argv(name: str = "worker", loglevel: str = "INFO") -> list[str]:
    """Command line of a Celery worker; how many jobs it runs at a time SRQUEUE_SLOTS says."""
    require("torch", "worker")
    return [
        *(sys.executable, "-m", "celery", "-A", "workers.app", "worker"),
        *("--pool", "prefork", "--without-gossip", "--without-mingle"),
        *("-n", f"{name}@%h", "--loglevel", loglevel),
    ]


def worker_environment(settings: Settings) -> dict[str, str]:
    """Environment of a worker. One thread: the trainer sets its own number.

    Celery's warning to root is about messages that can run code; ours are JSON.
    """
    silent = f"ignore:{_ROOT_WARNING}"
    warnings = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), silent]))
    return child_environment(settings, OMP_NUM_THREADS="1", PYTHONWARNINGS=warnings)


def flower_argv(settings: Settings) -> list[str]:
    """Command line of Flower, its task list kept over restarts."""
    require("flower", "monitor")
    return [
        *(sys.executable, "-m", "celery", "-A", "srqueue.stack.monitor", "flower"),
        f"--address={settings.flower_address}",
        f"--port={settings.flower_port}",
        f"--tasks_columns={_COLUMNS}",
        "--persistent=True",
        f"--db={settings.home.absolute() / 'flower.db'}",
        "--state_save_interval=10000",
        "--purge_offline_workers=600",
        *([f"--url_prefix={prefix}"] if (prefix := settings.flower_url_prefix.strip("/")) else []),
        *(["--read_only=True"] if settings.flower_read_only else []),
    ]


def flower_environment(settings: Settings) -> dict[str, str]:
    """Environment of Flower. Its password stands here: anybody on the machine can read a command line."""
    env = child_environment(settings)
    if settings.flower_auth is not None:
        env["FLOWER_BASIC_AUTH"] = settings.flower_auth.get_secret_value()
    return env


def require_password(settings: Settings) -> None:
    """Raises UsageError where Flower would be open to other machines and ask for no password.

    Flower looks itself, too (srqueue.monitor.exposure), once it has read its own file, which may hold one.
    """
    told = settings.flower_auth or os.environ.get("FLOWER_BASIC_AUTH") or os.environ.get("FLOWER_AUTH")
    check_door(settings.flower_address, bool(told) or (settings.home / "flowerconfig.py").is_file())


def flower_url(settings: Settings) -> str:
    """Flower's address for a browser on this machine."""
    here = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "[::1]"}
    host = here.get(settings.flower_address, settings.flower_address)
    prefix = settings.flower_url_prefix.strip("/")
    return f"http://{host}:{settings.flower_port}" + (f"/{prefix}" if prefix else "")
