"""The network between one worker and Valkey, which can be cut without either side being told."""

import contextlib
import selectors
import socket
import struct
import threading

_CHUNK = 65536
_LOOK = 0.2


class Proxy:
    """Passes bytes between a loopback port of its own and the server's.

    While it is `cut` nothing passes and nothing is closed, as on a half-open connection; new connections are
    taken and not answered. Afterwards what was sent arrives late, or every connection is reset.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._cut = threading.Event()
        self._reset = threading.Event()
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name=f"proxy-{self.port}", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What a worker is given."""
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        """From now on nothing arrives."""
        self._cut.set()

    def mend(self, reset: bool) -> None:
        """Everything arrives again; `reset`: the old connections are gone."""
        if reset:
            self._reset.set()
        self._cut.clear()

    def close(self) -> None:
        """Ends the thread and all connections."""
        self._over.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._over.is_set():
            if self._reset.is_set():
                self._reset.clear()
                for end in list(self._pairs):
                    self._drop(end, reset=True)
            if self._cut.is_set():
                self._over.wait(0.05)
                continue
            self._pass_on()
        for end in list(self._pairs):
            self._drop(end)
        self._listener.close()

    def _pass_on(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            for end in self._pairs:
                selector.register(end, selectors.EVENT_READ)
            for key, _ in selector.select(_LOOK):
                if key.fileobj is self._listener:
                    self._take()
                elif key.fileobj in self._pairs:
                    self._move(key.fileobj)  # type: ignore[arg-type]

    def _take(self) -> None:
        inner, _ = self._listener.accept()
        try:
            outer = socket.create_connection(("127.0.0.1", self._target), timeout=1)
        except OSError:  # the server is down: so is this connection
            inner.close()
            return
        for end in (inner, outer):
            end.settimeout(2)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pairs[inner], self._pairs[outer] = outer, inner

    def _move(self, end: socket.socket) -> None:
        try:
            chunk = end.recv(_CHUNK)
            if chunk:
                self._pairs[end].sendall(chunk)
                return
        except OSError:
            pass
        self._drop(end)

    def _drop(self, end: socket.socket, reset: bool = False) -> None:
        other = self._pairs.pop(end, None)
        if other is not None:
            self._pairs.pop(other, None)
        for one in filter(None, (end, other)):
            with contextlib.suppress(OSError):
                if reset:  # closed with RST
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.close()
