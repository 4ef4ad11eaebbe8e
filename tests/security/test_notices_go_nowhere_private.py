"""A notice goes to no machine of the inside: not by its number, not by a name, not by a redirect."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from srqueue.notices import child
from srqueue.notices.child import forbidden
from srqueue.notices.notice import Notice
from srqueue.notices.sending import send

INSIDE = [
    "127.0.0.1",
    "::1",
    "0.0.0.0",
    "::",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "fd00::1",
]
NEVER = [
    "169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "2002:a9fe:a9fe::", "224.0.0.1",
    "64:ff9b::a9fe:a9fe", "255.255.255.255", "ff02::1", "fd00:ec2::254", "100.100.100.200", "localhost", "",
]  # fmt: skip


def test_numbers_of_the_inside_are_told_from_others():
    for host in [*INSIDE, "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]:
        assert forbidden(host, private=False) and not forbidden(host, private=True), host
    for host in NEVER:
        assert forbidden(host, private=False) and forbidden(host, private=True), host
    for host in ("1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"):
        assert not forbidden(host, private=False), host


@pytest.fixture
def receiver():
    """A server on this machine that counts what is posted; `to`: where it sends on."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            server.got.append(self.path)
            self.send_response(302 if server.to else 200)
            if server.to:
                self.send_header("Location", server.to)
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.got, server.to = True, [], ""
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_no_guise_of_this_machine_is_connected_to(settings, receiver):
    port = receiver.server_address[1]
    hosts = ("127.0.0.1", "localhost", "2130706433", "127.1", "0x7f.1", "0.0.0.0", "[::ffff:127.0.0.1]")
    urls = " ".join([*(f"json://{host}:{port}/x" for host in hosts), "json://169.254.169.254/latest"])
    told = settings.model_copy(update={"notify": SecretStr(urls)})
    sent = send(told, Notice("title", "body"))
    assert receiver.got == [] and not any(one.well for one in sent)
    assert all("SRQUEUE_NOTIFY_PRIVATE" in one.result for one in sent[:2] + sent[-1:]), sent
    told = told.model_copy(update={"notify_private": True})
    sent = send(told, Notice("title", "body"))
    assert sent[0].well and receiver.got
    assert not sent[-1].well and "metadata" in sent[-1].result


def test_a_redirect_is_not_followed(settings, receiver):
    receiver.to = f"http://127.0.0.1:{receiver.server_address[1]}/elsewhere"
    url = f"json://127.0.0.1:{receiver.server_address[1]}/x"
    told = settings.model_copy(update={"notify": SecretStr(url), "notify_private": True})
    (sent,) = send(told, Notice("title", "body"))
    assert not sent.well and set(receiver.got) == {"/x"}


def test_a_name_that_leads_elsewhere_the_second_time_gets_no_further(receiver):
    """DNS rebinding: what is looked at is what is connected to, not what a name led to before."""
    program = f"""
import json, socket, sys
sys.path.insert(0, {str(Path(child.__file__).parent)!r})
import child
child.guard(False)
answers = [("93.184.215.14", 80), ("127.0.0.1", {receiver.server_address[1]})]
socket.getaddrinfo = lambda *a, **k: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", answers[-1])]
import requests
try:
    requests.post("http://rebinding.example/x", timeout=5)
except requests.ConnectionError as error:
    print(json.dumps(str(error)))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert "this machine" in json.loads(found.stdout), found.stderr
    assert receiver.got == []
