"""Every command has help and is named in the README; every result that is named is there."""

import re
from pathlib import Path

import typer
from typer.testing import CliRunner

from srqueue.cli.app import app_for

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"


def commands(group, prefix=""):
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        elif not command.hidden:
            yield f"{prefix}{name}", command


ALL = dict(commands(typer.main.get_command(app_for([]))))


def test_every_command_has_help_that_ends_in_a_full_stop():
    lacking = [name for name, command in ALL.items() if not (command.help or "").strip().endswith(".")]
    assert not lacking


def test_every_option_and_argument_has_help():
    lacking = [
        f"{name} {parameter.name}"
        for name, command in ALL.items()
        for parameter in command.params
        if not getattr(parameter, "help", None)
    ]
    assert not lacking


def test_every_command_shows_its_help():
    for name in ALL:
        shown = CliRunner().invoke(app_for(name.split()), [*name.split(), "--help"])
        assert shown.exit_code == 0, name
        assert "Usage: " in shown.output


def test_every_listing_can_print_json():
    listings = [
        name for name in ALL if name.split()[-1] in ("ls", "show", "status", "diff", "doctor", "version")
    ]
    lacking = [n for n in listings if "--json" not in [o for p in ALL[n].params for o in p.opts]]
    assert not lacking


def test_every_command_is_named_in_the_readme():
    readme = README.read_text()
    lacking = [name for name in ALL if f"srqueue {name}" not in readme]
    assert not lacking


def test_every_result_that_is_named_was_committed():
    there = {file.name for file in (ROOT / "benchmarks/results").iterdir()}
    texts = [README, ROOT / "benchmarks/README.md", *ROOT.glob("presets/*/*.yaml")]
    named = {
        (text.name, result)
        for text in texts
        for result in re.findall(r"(?:results/|`)([a-z0-9_]+\.(?:json|png|md))\b", text.read_text())
        if result.rpartition(".")[0] not in ("metrics", "comparison")  # of a run's export folder
    }
    assert {(text, result) for text, result in named if result not in there} == set()
