"""Sends one notice to some addresses: a process of its own, that may hang or die without anybody's harm.

It is run by its path and imports nothing of srqueue. On stdin it gets one JSON object {addresses, title,
body, picture, private}: addresses hold secrets, no command line may. On stdout it writes a line {n, well,
result} for each address, as soon as it is known.

What it connects to is looked at where it connects, by the number that a name led to: a name that leads
elsewhere the second time, a number in another guise, or a redirect gets no further than a plain one.
"""

from __future__ import annotations

import contextlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

_AT_ONCE = 8
_EMBEDDING = ip_network("64:ff9b::/96")  # IPv4 behind a NAT64
_refused: ContextVar[list[str]] = ContextVar("refused", default=[])  # noqa: B039  (what nobody reads)


class Refused(OSError):
    """A connection to somewhere that no notice goes."""


def forbidden(host: str, private: bool) -> str | None:
    """Why no notice goes to that number, in words; None where it may.

    `private`: whether this machine and private networks are allowed. What is link-local never is: there lie
    the metadata services of clouds.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return "no number"  # whoever connects has looked it up
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if address in _EMBEDDING:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return forbidden(str(inner), private)
    if address.is_link_local or str(address) in ("fd00:ec2::254", "100.100.100.200", "192.0.0.192"):
        return "link-local, or the metadata service of a cloud"
    if address.is_loopback or address.is_unspecified:
        return None if private else "this machine"
    if address.is_multicast or address.is_reserved:
        return "no address of one receiver"
    return None if address.is_global or private else "of a private network"


def guard(private: bool) -> None:
    """From now on this process connects to nothing that is `forbidden`, whatever asks it to."""

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            return
        to = arguments[1]
        if isinstance(to, tuple) and to:
            host = str(to[0])
            # A datagram to port 53 is a resolver's own: it carries no notice.
            why = None if event != "socket.connect" and to[1] == 53 else forbidden(host, private)
        else:
            host, why = "a socket of this machine", None if private or to is None else "this machine"
        if why:
            _refused.get().append(f"{host}: {why}")
            raise Refused(f"{host}: {why}")

    sys.addaudithook(look)


def follow_no_redirects() -> None:
    """Where a receiver sends elsewhere, it has not taken the notice."""
    import requests

    session: Any = requests.sessions.SessionRedirectMixin
    session.get_redirect_target = lambda self, response: None


def main() -> int:
    """Reads, sends, answers."""
    import logging

    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines name addresses
    told = json.load(sys.stdin)
    guard(bool(told.get("private")))
    follow_no_redirects()
    _keep_context()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for n, address in enumerate(told["addresses"]):
            pool.submit(_one, apprise, n, address, told)
    return 0


def _keep_context() -> None:
    """Apprise sends in threads of its own: what was refused there is to be told of the address that asked."""
    submit: Any = ThreadPoolExecutor.submit

    def with_context(self: Any, function: Any, /, *args: Any, **more: Any) -> Any:
        return submit(self, copy_context().run, function, *args, **more)

    pool: Any = ThreadPoolExecutor
    pool.submit = with_context


def _one(apprise: Any, n: int, address: str, told: dict[str, Any]) -> None:
    well, result = False, "no address that Apprise knows"
    refused: list[str] = []
    _refused.set(refused)
    with contextlib.suppress(Exception):  # whatever a plugin raises may name the address
        receiver = apprise.Apprise.instantiate(address, suppress_exceptions=True)
        if receiver is not None and told["title"] is None:
            well, result = True, f"{receiver.service_name}: not tried"
        elif receiver is not None:
            result = f"{receiver.service_name}: not taken (refused, unreachable, or a wrong secret)"
            well = bool(_send(apprise, receiver, told))
            result = f"{receiver.service_name}: taken" if well else result
            if refused and not well:
                why = f"it leads to {refused[0]} (SRQUEUE_NOTIFY_PRIVATE)"
                result = f"{receiver.service_name}: not sent: {why}"
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
