"""Which TCP ports are free."""

from __future__ import annotations

import contextlib
import socket

from srqueue.errors import ConflictError


def port_is_free(address: str, port: int) -> bool:
    """True where a server could listen on `address:port` now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        # As Tornado does it: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def require_free(address: str, port: int) -> None:
    """Raises ConflictError where the port for Flower is taken."""
    if not port_is_free(address, port):
        raise ConflictError(
            f"port {port} on {address} is taken",
            where="Flower",
            hint="free it, or choose another with --flower-port or SRQUEUE_FLOWER_PORT",
        )


def next_free_port(address: str, port: int) -> int:
    """`port` or the next free one above it."""
    for candidate in range(port, min(port + 100, 65536)):
        if port_is_free(address, candidate):
            return candidate
    raise ConflictError(f"no free port on {address} from {port} on", hint="set SRQUEUE_FLOWER_PORT")
