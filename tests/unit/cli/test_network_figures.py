"""Figures of networks are asked for once, and once more where what they depend on has changed."""

import json

import pytest

import srqueue
from srqueue.cli import network_figures as module
from srqueue.cli.network_figures import network_figures
from srqueue.settings import Settings

SMALL = {"type": "compact", "num_feat": 4, "num_conv": 1}
LARGE = {"type": "compact", "num_feat": 8, "num_conv": 1}


@pytest.fixture
def settings(tmp_path):
    return Settings(home=tmp_path / "home")


@pytest.fixture
def asked(monkeypatch):
    """Names and scale of every question that reached the worker's side, which answers with a count."""
    questions = []

    def ask(settings, networks, scale):
        questions.append((sorted(networks), scale))
        return {name: {"answer": len(questions)} for name in networks}

    monkeypatch.setattr(module, "_ask", ask)
    return questions


def test_the_same_network_is_looked_at_once(settings, asked):
    for _ in range(2):
        assert network_figures(settings, {"a": SMALL}, 2) == {"a": {"answer": 1}}
    assert network_figures(settings, {"b": SMALL}, 2) == {"b": {"answer": 1}}, (
        "by what it is, not by its name"
    )
    assert asked == [(["a"], 2)]


def test_another_network_or_scale_is_looked_at_and_forgets_nothing(settings, asked):
    network_figures(settings, {"a": SMALL}, 2)
    assert network_figures(settings, {"a": SMALL, "b": LARGE}, 2) == {"a": {"answer": 1}, "b": {"answer": 2}}
    assert network_figures(settings, {"a": SMALL}, 4) == {"a": {"answer": 3}}
    network_figures(settings, {"a": SMALL, "b": LARGE}, 2)
    assert asked == [(["a"], 2), (["b"], 2), (["a"], 4)]


def test_another_version_or_other_code_is_looked_at_anew(settings, asked, monkeypatch, tmp_path):
    network_figures(settings, {"a": SMALL}, 2)
    monkeypatch.setattr(srqueue, "__version__", "99.0")
    assert network_figures(settings, {"a": SMALL}, 2) == {"a": {"answer": 2}}
    monkeypatch.setattr(module, "version", lambda name: f"another {name}")
    assert network_figures(settings, {"a": SMALL}, 2) == {"a": {"answer": 3}}
    code = tmp_path / "code.py"
    monkeypatch.setattr(srqueue, "__file__", str(tmp_path / "srqueue/__init__.py"))
    monkeypatch.setattr(module, "_CODE", ("code.py",))
    for number, text in ((4, "a = 1"), (4, "a = 1"), (5, "a = 2")):
        code.write_text(text)
        assert network_figures(settings, {"a": SMALL}, 2) == {"a": {"answer": number}}


def test_networks_of_a_library_are_looked_at_every_time(settings, asked):
    for number in (1, 2):
        found = network_figures(settings, {"a": {"type": "spandrel", "name": "DAT"}}, 2)
        assert found == {"a": {"answer": number}}


@pytest.mark.parametrize("damage", ["", "[1]", "{}", '{"made_by": 1'])
def test_a_damaged_file_is_made_anew(settings, asked, damage):
    network_figures(settings, {"a": SMALL}, 2)
    (file,) = (settings.home / "cache").iterdir()
    whole = json.loads(file.read_bytes())
    file.write_text(damage)
    assert network_figures(settings, {"a": SMALL}, 2) == {"a": {"answer": 2}}
    assert json.loads(file.read_bytes()).keys() == whole.keys()


def test_where_nothing_can_be_kept_the_figures_are_told_all_the_same(tmp_path, asked):
    (tmp_path / "file").touch()
    assert network_figures(Settings(home=tmp_path / "file"), {"a": SMALL}, 2) == {"a": {"answer": 1}}


def test_what_is_kept_is_what_was_found(settings):
    first = network_figures(settings, {"a": SMALL}, 2)
    assert first["a"]["parameters"] == 9 * (3 * 4 + 4 * 4 + 4 * 12) + 4 + 4 + 12
    assert network_figures(settings, {"a": SMALL}, 2) == first
