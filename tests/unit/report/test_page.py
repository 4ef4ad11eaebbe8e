"""The HTML: whole, alone, and safe."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from srqueue.report.energy import Energy
from srqueue.report.page import MOST_DRAWN, page
from srqueue.run.events import Event
from srqueue.run.scores import PictureScore, Scores

PLOTLY = files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
HOSTILE = """"><script>alert('x')</script><img src=http://example.org/x onerror=alert(1)>{{7*7}}</script>"""


class Seen(HTMLParser):
    """Elements with their attributes, and the text outside of scripts and styles."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self._in = [], "", None
        self.scripts = []
        assert html.count(PLOTLY) == 1
        self.feed(html.replace(PLOTLY, "plotly"))  # its five megabytes are not what is looked at
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._in = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._in = None

    def handle_data(self, data):
        if self._in == "script":
            self.scripts[-1] += data
        elif self._in != "style":
            self.text += data

    def named(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def hostile(subject, told, gallery):
    events = [
        *told(3, lambda hour: 28.0),
        Event(99, 9e4, 1, 3000, "message", {"level": "warning", "text": HOSTILE}),
    ]
    made = subject(events=events, gallery=gallery, origins={"name": HOSTILE})
    spec = {**made.spec, "name": HOSTILE, "network_g": {"type": HOSTILE}}
    crops = [replace(gallery.crops[0], name=HOSTILE)]
    return replace(
        made,
        name=HOSTILE,
        message=HOSTILE,
        spec=spec,
        gallery=replace(gallery, crops=crops),
        remarks=[HOSTILE],
    )


def test_a_hostile_name_or_message_is_text_wherever_it_stands(hostile):
    seen = Seen(page([hostile, hostile], HOSTILE))
    assert len(seen.scripts) == 3, "the data, plotly, and ours"
    assert not [a for _, a in seen.elements if any(key.startswith("on") for key in a)]
    assert all(a["src"].startswith("data:image/png;base64,") for a in seen.named("img"))
    assert seen.text.count(HOSTILE) > 5, "it is shown as it was written"
    assert "49" not in seen.text.replace(HOSTILE, "")[:2000]
    data = json.loads(seen.scripts[0])
    assert data["marks"][0][-1]["text"] == HOSTILE and data["pictures"][0][0]["name"] == HOSTILE


def test_the_page_needs_nobody_and_a_browser_would_not_let_it_ask(subject):
    html = page([subject()], "night")
    seen = Seen(html)
    policy = next(
        a["content"] for a in seen.named("meta") if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert "default-src 'none'" in policy and "'unsafe-inline'" not in policy.split("style-src")[0]
    assert {a["href"] for a in seen.named("link")} == {"data:,"}
    assert not [a for tag, a in seen.elements if tag in ("script", "iframe", "object", "a") and a.get("src")]
    assert "url(" not in re.search(r"<style>(.*?)</style>", html, re.S)[1]


def test_plots_pictures_tables_and_provenance_of_one_job(subject, gallery):
    marks = [
        {"torch": "2.13.0", "device": "a card", "precision": "bf16", "changed": {}},
        {"torch": "2.14.0", "device": "a card", "changed": {"torch": ["2.13.0", "2.14.0"]}},
    ]
    made = subject(
        gallery=gallery, fingerprints=marks, energy=Energy(1.5, 12.0), message="all iterations done"
    )
    seen = Seen(page([made], "night"))
    data = json.loads(seen.scripts[0])
    assert [p["title"] for p in data["plots"]] == ["PSNR on Y", "SSIM on Y", "Loss", "Learning rate", "Speed"]
    psnr = data["plots"][0]
    assert [(line["name"], line["base"]) for line in psnr["lines"]] == [
        ("val/psnr", False),
        ("bicubic", True),
    ]
    assert psnr["lines"][0]["values"][-1] == 30.0 and psnr["lines"][0]["hours"][-1] == 12.0
    assert data["pictures"][0][0]["iterations"] == [500, 1000]
    for told in ("a" * 64, "b" * 64, "c" * 64, "2.13.0 -> 2.14.0", "1.5 kWh", "measured", "+3.00 dB", "seed"):
        assert told in seen.text, told


def test_energy_that_nobody_measured_is_not_told(subject):
    assert "kWh" not in Seen(page([subject()], "night")).text


def test_other_validation_data_is_said_clearly(subject):
    same = Seen(page([subject(), subject("other")], "two")).text
    assert "not validated on the same pictures" not in same
    other = Seen(page([subject(), subject("other", identity="d" * 64)], "two")).text
    assert "not validated on the same pictures" in other and "cannot be compared" in other


def test_the_same_data_with_another_bicubic_is_not_trusted(subject):
    text = Seen(page([subject(), subject("other", figures={"bicubic/psnr": 26.5})], "two")).text
    assert "Bicubic interpolation reaches other figures though the data is the same" in text


def test_differences_between_specs_are_a_table(subject):
    other = subject("other")
    other = replace(other, spec={**other.spec, "manual_seed": 8})
    text = " ".join(Seen(page([subject(), other], "two")).text.split())
    assert "Differences between the specs" in text and "manual_seed78" in text


def test_of_very_many_jobs_the_first_are_drawn_and_all_are_in_the_tables(subject):
    many = [subject(f"job{i}", events=[]) for i in range(MOST_DRAWN + 3)]
    seen = Seen(page(many, "many"))
    assert len(json.loads(seen.scripts[0])["jobs"]) == MOST_DRAWN
    assert (
        f"of the first {MOST_DRAWN} of {MOST_DRAWN + 3}" in seen.text and f"job{MOST_DRAWN + 2}" in seen.text
    )


def test_a_job_without_a_single_figure_has_a_report(subject):
    seen = Seen(page([subject(events=[], state="failed", reason="spec_invalid")], "none"))
    assert json.loads(seen.scripts[0])["plots"] == [] and "the spec does not hold" in seen.text


def test_the_pictures_of_a_job_are_listed_the_worst_first(subject):
    rows = [PictureScore(f"{i:02}.png", 40.0 - i, 0.9, 30.0, 29.0, 0.8, 28.0) for i in range(12)]
    scores = Scores(pictures=tuple(rows), count=12, ms_per_megapixel=12.5, device="a card")
    text = Seen(page([subject(scores=scores)], "night")).text
    assert "the worst 10 of 12" in text and "12.5 ms a megapixel" in text and "a card" in text
    assert [text.index(f"{i:02}.png") for i in range(11, 1, -1)] == sorted(
        text.index(f"{i:02}.png") for i in range(2, 12)
    )
    assert "01.png" not in text
    assert "Validation pictures" not in Seen(page([subject()], "night")).text
