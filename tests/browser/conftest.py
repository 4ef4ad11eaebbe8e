"""A stack a file, whose training never ends; one browser; a page a test, which must ask only this machine."""

import dataclasses
import os
import shutil
from urllib.parse import urlsplit

import pytest

from tests.browser.stack import PASSWORD, USER, Stack
from tests.conftest import Server, register_tiny, wait_until

TOTAL = 120  # iterations of the job that has ended
SIGNED_IN = {"http_credentials": {"username": USER, "password": PASSWORD}}
SCREEN = {"viewport": {"width": 1280, "height": 900}}
DRAWN = "#plot-psnr .scatterlayer path"
ENDLESS = 1_000_000  # of the one that runs


def missing(reason: str):
    """Skips; where BROWSER_TESTS=required, as .ci/run sets it, it fails."""
    if os.environ.get("BROWSER_TESTS") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium of this machine."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("playwright is not installed (pip install -c constraints.txt '.[test]')")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing("there is no Chromium on PATH (Debian: apt-get install chromium)")
    # Its own sandbox does not work for root, as whom containers run.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def stack(chromium, tmp_path_factory, pictures):
    """Valkey, a worker, Flower; needs `chromium` first, so that nothing is started for a skip."""
    stack = Stack(tmp_path_factory.mktemp("browser"), Server().start(), wait_until)
    stack.identity = register_tiny(pictures, stack.settings).identity
    try:
        stack.start("worker", nice=19)  # a training that never ends must not slow the pages down
        stack.start("flower")
        wait_until(stack.flower_answers, "Flower answers", 60)
        yield stack
    finally:
        stack.close()


@pytest.fixture(scope="module")
def ended(stack, tiny_spec):
    """A job that has trained to its end: its figures change no more."""
    more = {
        "name": "ended",
        "val": {"val_freq": 20},
        "logger": {"print_freq": 10, "save_checkpoint_seconds": 1},
    }
    job = stack.submit(tiny_spec(stack.identity, TOTAL, **more), priority=9)
    return stack.until(job.id, lambda r: r.state.final, "the first job ends")


@pytest.fixture(scope="module")
def running(stack, ended, tiny_spec):
    """A job that trains until the last test of this file."""
    more = {"name": "running", "val": {"val_freq": 400}}
    job = stack.submit(tiny_spec(stack.identity, ENDLESS, **more), priority=7)
    return stack.until(job.id, lambda r: r.iteration > 0 and "psnr" in r.progress, "the second job trains")


@dataclasses.dataclass
class Seen:
    """What pages of one test asked for, and what went wrong in them."""

    hosts: set[str] = dataclasses.field(default_factory=set)
    requests: int = 0
    errors: list[str] = dataclasses.field(default_factory=list)

    def request(self, request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss"):
            self.requests += 1
            self.hosts.add(parts.hostname)


@pytest.fixture(scope="session")
def all_seen():
    return Seen()


@pytest.fixture(autouse=True)
def seen(all_seen):
    """What all pages did so far; no test may leave an error of a page or a host that is not this one."""
    yield all_seen
    errors = all_seen.errors.copy()
    all_seen.errors.clear()
    assert errors == []
    assert all_seen.hosts <= {"127.0.0.1"}


@pytest.fixture(scope="module")
def signed_in(chromium):
    """A context that most pages share, so that the plotting library is read and compiled once."""
    context = chromium.new_context(**SIGNED_IN, **SCREEN)
    yield context
    context.close()


def opener(chromium, signed_in, stack, all_seen):
    opened = []

    def open_(path="", **how):
        context = chromium.new_context(**{**SCREEN, **how}) if how else signed_in
        page = context.new_page()
        opened.append(context if how else page)
        page.set_default_timeout(30_000)
        page.on("request", all_seen.request)
        page.on("pageerror", lambda error: all_seen.errors.append(str(error)))
        page.on("dialog", lambda box: all_seen.errors.append(f"a script ran: {box.message}") or box.dismiss())
        page.goto(stack.url(path))
        return page

    yield open_
    for what in opened:  # each has a stream, and a browser no more than six connections to a server
        what.close()


open_page = pytest.fixture(opener, name="open_page")
"""Opens a page; signed in, and in the shared context, unless told otherwise."""

open_for_module = pytest.fixture(opener, name="open_for_module", scope="module")


@pytest.fixture
def job_page(open_page):
    """Opens a job's page and waits until its curves are drawn."""
    return lambda job: drawn(open_page, job)


def drawn(open_, job):
    page = open_(f"/job/{job.id}")
    page.wait_for_selector(DRAWN)
    return page
