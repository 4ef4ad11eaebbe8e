"""Sends one notice to some addresses: a process of its own, that may hang or die without anybody's harm.

It is run by its path and imports nothing of srqueue. On stdin it gets one JSON object {addresses, title,
body, picture}: addresses hold secrets, no command line may. On stdout it writes a line {n, well, result}
for each address, as soon as it is known.
"""

from __future__ import annotations

import contextlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_AT_ONCE = 8


def main() -> int:
    """Reads, sends, answers."""
    import logging

    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines name addresses
    told = json.load(sys.stdin)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for n, address in enumerate(told["addresses"]):
            pool.submit(_one, apprise, n, address, told)
    return 0


def _one(apprise: Any, n: int, address: str, told: dict[str, Any]) -> None:
    well, result = False, "no address that Apprise knows"
    with contextlib.suppress(Exception):  # whatever a plugin raises may name the address
        receiver = apprise.Apprise.instantiate(address, suppress_exceptions=True)
        if receiver is not None and told["title"] is None:
            well, result = True, f"{receiver.service_name}: not tried"
        elif receiver is not None:
            result = f"{receiver.service_name}: not taken (refused, unreachable, or a wrong secret)"
            well = bool(_send(apprise, receiver, told))
            result = f"{receiver.service_name}: taken" if well else result
    sys.stdout.write(json.dumps({"n": n, "well": well, "result": result}) + "\n")
    sys.stdout.flush()


def _send(apprise: Any, receiver: Any, told: dict[str, Any]) -> bool:
    all_of_it = apprise.Apprise()
    all_of_it.add(receiver)
    attachment = None
    if told["picture"] and receiver.attachment_support:
        # A file of this machine, never an address: what a path looks like is not looked at.
        from apprise.attachment.file import AttachFile

        file: Any = AttachFile
        attachment = apprise.AppriseAttachment(file(told["picture"]), location=apprise.ContentLocation.LOCAL)
    text = {"title": told["title"], "body": told["body"], "body_format": apprise.NotifyFormat.TEXT}
    return bool(all_of_it.notify(**text, attach=attachment)) or bool(attachment and all_of_it.notify(**text))


if __name__ == "__main__":
    raise SystemExit(main())
