"""A real S3 server of a test, in a process of its own, which can be stopped, killed and started again."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

KEY, SECRET = "accesskey1", "secretkey1"
BUCKET = "lab"
_MOTO = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"


class S3Server:
    """`rclone serve s3` over a folder, or moto's server, which has conditional writes but keeps nothing."""

    def __init__(self, wait_until, conditional: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="srq-s3-"))
        (self.folder / BUCKET).mkdir()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._wait_until = wait_until
        self._conditional = conditional
        self._process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"s3://{BUCKET}/runs"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.port}",
        }  # fmt: skip

    def start(self) -> S3Server:
        rclone = Path(sys.executable).with_name("rclone")
        argv = [str(rclone), "serve", "s3", "--auth-key", f"{KEY},{SECRET}", "--vfs-cache-mode", "off"]
        argv += ["--addr", f"127.0.0.1:{self.port}", str(self.folder)]
        if self._conditional:
            argv = [sys.executable, "-c", _MOTO, str(self.port)]
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait_until(self._answers, "the S3 server answers", 30)
        return self

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        return False
