"""A report in Chromium: drawn without a request, and its scripts are the only ones that run."""

import json
import re
import shutil
import subprocess

import pytest

from srqueue.curves import history
from srqueue.report.page import page
from srqueue.report.subject import Crop, Gallery, Subject
from srqueue.run.events import Event

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian: apt install chromium)")


def png(level):
    from io import BytesIO

    from PIL import Image

    out = BytesIO()
    Image.new("RGB", (8, 8), (level, level, level)).save(out, "PNG")
    return out.getvalue()


def subject(name):
    events = [Event(0, 0, 1, 0, "phase", {"phase": "started"})]
    for i in range(1, 21):
        val = {"val/psnr": 30 + i / 20, "bicubic/psnr": 29.5, "loss": 1 / i}
        events.append(Event(i, i * 60.0, 1, i * 10, "val", val))
    events.append(Event(30, 1300.0, 1, 200, "message", {"level": "warning", "text": name}))
    crop = Crop(name=name, bicubic=png(10), original=png(240), model={100: png(100), 200: png(120)})
    spec = {"name": name, "scale": 2, "datasets": {"train": {"name": "a"}, "val": {"name": "b"}}}
    return Subject(
        id="01J0000000000000000000ABCD", name=name, state="succeeded", spec=spec, message=name,
        history=history(events), gallery=Gallery(crops=[crop]),
    )  # fmt: skip


def opened(folder, html):
    """The document as Chromium has it once it is drawn, and every address that it asked for."""
    file, log = folder / "report.html", folder / "net.json"
    file.write_text(html)
    done = subprocess.run(
        [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=10000", f"--log-net-log={log}",
            f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    asked = set(re.findall(r'"url":"(https?://[^"]+)"', log.read_text()))
    return done.stdout, done.stderr, asked


def test_it_draws_offline_and_runs_nothing_of_a_jobs_name(tmp_path):
    dom, log, asked = opened(tmp_path, page([subject(HOSTILE), subject("other")], HOSTILE))
    assert dom.count('class="main-svg"') >= 4, "plotly has drawn both plots"
    assert "<title>broken" not in dom and "Uncaught" not in log
    assert 'class="wipe"' in dom and "model, iteration 200" in dom
    wipe = re.search(r'<div class="wipe">(.*?)</div>', dom, re.S)[1]
    under, over = re.findall(r'src="(data:image/png[^"]+)"', wipe)
    data = json.loads(re.search(r'id="data">(.*?)</script>', dom, re.S)[1])
    crop = data["pictures"][0][0]
    assert (over, under) == (crop["bicubic"], crop["model"][1])
    browsers_own = re.compile(r"https?://[^/]*\.(google|googleapis|gvt1|chromium)\.(com|org)/")
    assert not [url for url in asked if not browsers_own.match(url)]
