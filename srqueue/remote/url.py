"""Which URLs may name a remote folder. Credentials are never part of one: it is stored, shown and logged."""

from __future__ import annotations

from importlib.util import find_spec
from urllib.parse import urlsplit

from srqueue.errors import UsageError, did_you_mean

PACKAGES = {"file": "fsspec", "s3": "s3fs", "gs": "gcsfs", "ssh": "sshfs"}
"""What each scheme needs beside fsspec."""
READ_ONLY = {"https": "aiohttp", "http": "aiohttp"}
"""The same of a web server, from which a data set can be brought and where nothing can be put."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_CREDENTIALS = {
    "s3": "put them into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws",
    "gs": "put them into GOOGLE_APPLICATION_CREDENTIALS",
    "https": "put them into ~/.netrc",
    "ssh": "use a key that ssh finds by itself (~/.ssh, an agent)",
}


def check_installed(url: str) -> None:
    """Raises UsageError where the package is missing that `url` needs; imports nothing."""
    scheme = urlsplit(url).scheme
    for package in ("fsspec", {**PACKAGES, **READ_ONLY}[scheme]):
        if find_spec(package) is None:
            extra = f"remote-{scheme}" if scheme in ("gs", "ssh") else "remote"
            raise UsageError(
                f"{scheme}:// needs the package {package}, which is not installed",
                where=url,
                hint=f"pip install 'srqueue[{extra}]'",
            )


def parse_remote(text: str, where: str, *, reading: bool = False) -> str:
    """`text` without a slash at its end. Raises UsageError where it is no URL of a folder that can be used.

    `where`: what it was given as, for the error. `reading`: a web server will do, by https (by http only on
    this machine: nobody else vouches for what comes).
    """
    try:
        parts = urlsplit(text)
        password, user, _ = parts.password, parts.username, parts.port
    except ValueError as error:
        raise UsageError(f"this is no URL: {error}", where=where) from None
    schemes = [*PACKAGES, *(READ_ONLY if reading else ())]
    if parts.scheme not in schemes:
        hint = "use one of " + ", ".join(f"{scheme}://" for scheme in schemes if scheme != "http")
        if parts.scheme in READ_ONLY:
            hint += "; from a web server `srqueue dataset sync` can read, and nothing can be put there"
        elif parts.scheme:
            hint += f"; {did_you_mean(parts.scheme, schemes)}"
        raise UsageError(f"no remote folder can be at {parts.scheme or 'a path'}", where=where, hint=hint)
    if password is not None or (user is not None and parts.scheme != "ssh"):
        raise UsageError(
            "a URL that is stored must hold no credentials",
            where=where,
            hint=_CREDENTIALS.get(parts.scheme, "leave out what stands before the @"),
        )
    if parts.query or parts.fragment:
        raise UsageError("the URL must end with a path: no ? or #", where=where)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise UsageError("what comes by http may have been changed on its way", where=where, hint="https://")
    if ".." in parts.path.split("/"):
        raise UsageError("the URL must not climb with ..", where=where)
    if parts.scheme == "file" and (parts.netloc or len(parts.path.strip("/")) == 0):
        raise UsageError("a file URL needs an absolute path", where=where, hint="file:///mnt/lab/srqueue")
    if parts.scheme != "file" and not parts.hostname:
        raise UsageError(f"{parts.scheme}:// needs a bucket or host", where=where, hint="s3://bucket/prefix")
    if parts.scheme == "ssh" and not parts.path.strip("/"):
        raise UsageError("an ssh URL needs an absolute path", where=where, hint="ssh://host/srv/srqueue")
    return text.rstrip("/")
