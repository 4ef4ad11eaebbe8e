"""Flower is not opened to other machines without a password."""

from __future__ import annotations

import sys
from pathlib import Path

from srqueue.errors import UsageError
from srqueue.server_url import is_loopback

_CALLS: list[None] = []


def check_door(address: str, has_auth: bool) -> None:
    """Raises UsageError where Flower would show everything to other machines, and ask for no password."""
    if has_auth or is_loopback(address):
        return
    raise UsageError(
        f"Flower would listen on {address or 'every interface'} and ask for no password",
        where="SRQUEUE_FLOWER_ADDRESS",
        hint="set SRQUEUE_FLOWER_AUTH=user:password, or keep it on 127.0.0.1 and reach it by "
        "ssh -L 5555:127.0.0.1:5555 HOST",
    )


def refuse_open_doors() -> None:
    """Called by Flower when its options are read, wherever they came from: ends it where nobody is asked.

    It reads the command line twice where it has a configuration file, which may hold the password.
    """
    from tornado.options import options

    _CALLS.append(None)
    if len(_CALLS) == 1 and Path(options.conf).is_file():
        return
    if options.unix_socket:
        return
    try:
        check_door(options.address, bool(options.basic_auth or options.auth))
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
