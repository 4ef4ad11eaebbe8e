"""A run folder on a host that is reached by ssh: a real sshd on loopback, whose key must be known."""

import getpass
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from srqueue.remote.fetching import fetch
from srqueue.remote.folder import RemoteFolder, RemoteUnreachable
from srqueue.run.folder import RunDir
from tests.integration.test_remote_folder import JOB, make_run, pusher, save

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH')}:/usr/sbin")


@pytest.fixture
def url(tmp_path, monkeypatch, wait_until):
    """The URL of a folder; HOME holds the key that lets us in, and the host's among the known ones."""
    if SSHD is None:
        if os.environ.get("SSH_TESTS") == "required":
            pytest.fail("SSH_TESTS=required, and there is no sshd")
        pytest.skip("there is no sshd here (Debian: openssh-server)")
    ssh = tmp_path / "home" / ".ssh"
    ssh.mkdir(parents=True, mode=0o700)
    for key in (tmp_path / "host_key", ssh / "id_ed25519"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    allowed = tmp_path / "authorized_keys"
    shutil.copy(ssh / "id_ed25519.pub", allowed)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    host = Path(f"{tmp_path}/host_key.pub").read_text()
    (ssh / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}")
    config = tmp_path / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host_key\nAuthorizedKeysFile {allowed}\n"
        f"StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        f"PidFile {tmp_path}/sshd.pid\nSubsystem sftp internal-sftp\n"
    )
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(answers, "sshd answers", 10)
    yield f"ssh://{getpass.getuser()}@127.0.0.1:{port}{tmp_path}/lab"
    process.kill()
    process.wait()


def test_a_checkpoint_travels_by_ssh_to_a_host_that_is_known(url, tmp_path):
    remote = RemoteFolder.open(url)
    run, theirs = make_run(tmp_path / "a"), RunDir(tmp_path / "b" / JOB)
    name = save(run, 1, payload=os.urandom(9 << 20))  # two blocks
    push = pusher(remote, run)
    push.checkpoint(name)
    assert fetch(remote, theirs).newest == name
    assert not remote.create(f"jobs/{JOB}/spec.json", b"another") and push.prune() == []
    (tmp_path / "home" / ".ssh" / "known_hosts").write_text("")
    with pytest.raises(RemoteUnreachable, match=r"[Hh]ost key"):
        RemoteFolder.open(url).read("root_id")
