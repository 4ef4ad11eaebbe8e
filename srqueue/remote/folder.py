"""One remote folder: whole objects by name, whatever the store."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from srqueue.errors import ServiceUnreachable, UsageError
from srqueue.remote.url import READ_ONLY, check_installed

BLOCK = 8 << 20
"""Bytes of one part of an upload or download; S3 takes none below 5 MiB."""
_CONNECT, _READ = 5, 30  # s
_OBJECT_STORES = ("s3", "gs")


class RemoteUnreachable(ServiceUnreachable):
    """The remote folder does not answer, or refuses."""


def unlimited(count: int) -> None:
    """No limit of bytes a second."""


class Rate:
    """Waits so that no more than `per_second` bytes pass; 0: it never waits."""

    def __init__(self, per_second: int) -> None:
        self._per_second = per_second
        self._free_at = 0.0

    def __call__(self, count: int) -> None:
        if self._per_second:
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + count / self._per_second
            time.sleep(max(0.0, self._free_at - now))


class RemoteFolder:
    """Objects below one URL, by names relative to it. Each is there whole, or not at all.

    All methods raise RemoteUnreachable where the store does not answer; reading what is not there raises
    FileNotFoundError.
    """

    def __init__(self, url: str, fs: Any) -> None:
        self.url = url
        self._fs = fs
        self._scheme = urlsplit(url).scheme
        self._by_web = self._scheme in READ_ONLY
        self._base = str(fs._strip_protocol(url)).rstrip("/")

    @classmethod
    def open(cls, url: str) -> RemoteFolder:
        """Connects to `url`, which `parse_remote` has passed. UsageError where a package is missing."""
        check_installed(url)
        import fsspec

        with _reached(url):
            fs, _ = fsspec.core.url_to_fs(url, **_options(urlsplit(url).scheme))
        return cls(url, fs)

    def read(self, name: str, start: int | None = None, end: int | None = None) -> bytes:
        """An object, or its bytes from `start` up to `end`."""
        with _reached(self.url):
            data = bytes(self._fs.cat_file(self._path(name), start=start, end=end))
        if start is not None and end is not None and len(data) > end - start:
            return data[start:end]  # a web server that knows no ranges has sent all of it
        return data

    def size(self, name: str) -> int | None:
        """Bytes of an object; None where there is none."""
        try:
            with _reached(self.url):
                return int(self._fs.info(self._path(name))["size"])
        except FileNotFoundError:
            return None

    def names(self, below: str = "") -> dict[str, int]:
        """All objects below a folder, by name relative to this one, with their sizes in bytes."""
        try:
            with _reached(self.url):
                found = self._fs.find(self._path(below), detail=True)
        except FileNotFoundError:
            return {}
        skip = len(self._base) + 1
        return {
            path[skip:]: int(info["size"] or 0)
            for path, info in found.items()
            if not path.rpartition("/")[2].startswith(".part-")
        }

    def folders(self, below: str) -> list[str]:
        """The names of what lies directly below a folder, sorted."""
        try:
            with _reached(self.url):
                # A web server may have a list, under the name with a slash, and links to more than folders.
                path = self._path(below) + "/" * self._by_web
                found = [f for f in self._fs.ls(path, detail=False) if not self._by_web or f.endswith("/")]
        except FileNotFoundError:
            return []
        return sorted(name for path in found if (name := str(path).rstrip("/").rpartition("/")[2]))

    def write(self, name: str, data: bytes) -> None:
        """Writes an object, over one that is there."""
        with _reached(self.url, writing=True):
            if self._scheme in _OBJECT_STORES:
                self._fs.pipe_file(self._path(name), data)
            else:
                with self._beside(name) as part:
                    self._fs.pipe_file(part, data)
                    self._fs.mv(part, self._path(name))

    def create(self, name: str, data: bytes) -> bool:
        """Writes an object where there is none of that name; False where there is one.

        Where the store has conditional writes nobody can come in between; on one without (also ssh) who comes
        in within the same moment may.
        """
        if self.size(name) is not None:
            return False
        with _reached(self.url, writing=True):
            try:
                if self._scheme in _OBJECT_STORES:
                    self._fs.pipe_file(self._path(name), data, mode="create")
                else:
                    with self._beside(name) as part:
                        self._fs.pipe_file(part, data)
                        self._put_new(part, self._path(name))
            except FileExistsError:
                return False
        return True

    def creates_alone(self, name: str) -> bool:
        """Whether the store has conditional writes. `name`: an object that is there, and stays as it is."""
        data = self.read(name)
        if self._scheme not in _OBJECT_STORES:
            return self._scheme == "file"
        with _reached(self.url):
            try:
                self._fs.pipe_file(self._path(name), data, mode="create")
            except FileExistsError:
                return True
        return False

    def upload(self, file: Path, name: str, took: Callable[[int], None] = unlimited) -> None:
        """Writes a file as an object, block by block; `took` is called with the bytes of each, and may wait.

        OSError where the file cannot be read.
        """
        with file.open("rb") as source:
            if os.fstat(source.fileno()).st_size <= BLOCK:
                data = source.read()
                self.write(name, data)
                took(len(data))
                return
            with _reached(self.url, writing=True), self._beside(name) as part:
                stored = self._scheme in _OBJECT_STORES  # by ssh the blocks are the protocol's own
                path = self._path(name) if stored else part
                out = self._fs.open(path, "wb", **({"block_size": BLOCK} if stored else {}))
                try:
                    while block := source.read(BLOCK):
                        out.write(block)
                        took(len(block))
                except BaseException:
                    with contextlib.suppress(Exception):
                        if stored:
                            # To close it would write what is there so far as if it were whole.
                            out.discard()
                            out.closed = True
                        out.close()
                    raise
                out.close()
                if path != self._path(name):
                    self._fs.mv(path, self._path(name))

    def download(
        self, name: str, file: Path, took: Callable[[int], None] = unlimited, expected: int | None = None
    ) -> None:
        """Brings an object to a file, and goes on behind what the file holds already; synced at its end.

        ValueError where it has not the `expected` number of bytes: nothing is brought then.
        """
        size = self.size(name)
        if size is None:
            raise FileNotFoundError(name)
        if expected is not None and size != expected:
            raise ValueError(f"it has {size:,} bytes, and should have {expected:,}")
        with file.open("ab") as out:
            if out.tell() > size:
                out.truncate(0)
                out.seek(0)
            while (at := out.tell()) < size:
                block = self.read(name, at, min(at + BLOCK, size))
                if not block:
                    raise RemoteUnreachable(f"{name} ends after {at} of {size} bytes", where=self.url)
                out.write(block)
                took(len(block))
            out.flush()
            os.fsync(out.fileno())

    def remove(self, names: Iterable[str]) -> None:
        """Deletes objects; those that are not there are passed over."""
        for name in names:
            with _reached(self.url), contextlib.suppress(FileNotFoundError):
                self._fs.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}" if name else self._base

    @contextlib.contextmanager
    def _beside(self, name: str) -> Iterator[str]:
        """A name for what is not whole yet, where a file can be seen while it is written."""
        folder = self._path(name).rpartition("/")[0]
        part = f"{folder}/.part-{secrets.token_hex(8)}"
        if self._scheme in _OBJECT_STORES:
            yield part
            return
        self._fs.makedirs(folder, exist_ok=True)
        try:
            yield part
        except BaseException:
            with contextlib.suppress(Exception):
                self._fs.rm_file(part)
            raise

    def _put_new(self, part: str, path: str) -> None:
        if self._scheme == "file":
            try:
                os.link(part, path)
            finally:
                Path(part).unlink()
        elif self._fs.exists(path):
            raise FileExistsError(path)
        else:
            self._fs.mv(part, path)


def _options(scheme: str) -> dict[str, Any]:
    """What all of these mean: nothing is answered from memory, and what does not answer is told soon."""
    options: dict[str, Any] = {"skip_instance_cache": True}
    if scheme in _OBJECT_STORES:
        options["use_listings_cache"] = False
    if scheme == "s3":
        # One attempt here: who calls tries again, and knows for how long.
        retries = {"max_attempts": 1}
        options["config_kwargs"] = {"connect_timeout": _CONNECT, "read_timeout": _READ, "retries": retries}
    if scheme in READ_ONLY:
        options["get_client"] = _web_client
    if scheme == "ssh":
        options["known_hosts"] = ()  # the user's: sshfs itself would believe any host
    return options


async def _web_client(**more: Any) -> Any:
    """~/.netrc and the proxies of the environment count, as for every other client."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(sock_connect=_CONNECT, sock_read=_READ, total=None)
    return aiohttp.ClientSession(trust_env=True, timeout=timeout, **more)


@contextlib.contextmanager
def _reached(url: str, *, writing: bool = False) -> Iterator[None]:
    """Each store has errors of its own; all of them mean that it did not do what was asked."""
    try:
        yield
    except (FileExistsError, ServiceUnreachable, UsageError):
        raise
    except Exception as error:
        if isinstance(error, FileNotFoundError) and not writing:
            raise  # what is written to and is not there can only be the bucket
        first = (str(error).splitlines() or [""])[0]
        told = first or type(error).__name__
        raise RemoteUnreachable(
            f"the remote folder cannot be used: {told}",
            where=url,
            hint="is the store up, is its bucket or folder there, do the credentials in the environment fit?",
        ) from error
