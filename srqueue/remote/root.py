"""The id of a remote folder, which stands for it in records as a runs root's id does."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from srqueue.errors import UsageError
from srqueue.remote.folder import RemoteFolder, RemoteUnreachable
from srqueue.remote.layout import ROOT_ID
from srqueue.run.atomic import read_object, write_json
from srqueue.run.confined import REMOTE_FILE

_ID = re.compile(r"[0-9a-f]{16}\Z")


def known_remote_id(url: str, runs_root: Path) -> str | None:
    """The id as it was read from here before."""
    noted = read_object(runs_root / REMOTE_FILE)
    found = str(noted.get("root_id"))
    return found if noted.get("url") == url and _ID.match(found) else None


def remote_root_id(url: str, runs_root: Path) -> str:
    """The id, made at first use. Kept in the runs root, so that a worker begins while the store is down.

    Raises RemoteUnreachable where it is not known here and cannot be read; UsageError where it is none.
    """
    if found := known_remote_id(url, runs_root):
        return found
    found = read_remote_id(RemoteFolder.open(url))
    runs_root.mkdir(parents=True, exist_ok=True)
    write_json(runs_root / REMOTE_FILE, {"url": url, "root_id": found})
    return found


def read_remote_id(remote: RemoteFolder) -> str:
    """The id as it stands in the remote folder; whoever comes first makes it."""
    try:
        text = remote.read(ROOT_ID)
    except FileNotFoundError:
        remote.create(ROOT_ID, (secrets.token_hex(8) + "\n").encode())
        try:
            text = remote.read(ROOT_ID)
        except FileNotFoundError:
            raise RemoteUnreachable("what was written is not there", where=remote.url) from None
    found = text.decode(errors="replace").strip()
    if not _ID.match(found):
        raise UsageError(
            "root_id holds no id of a remote folder", where=remote.url, hint="is it a folder of srqueue?"
        )
    return found
