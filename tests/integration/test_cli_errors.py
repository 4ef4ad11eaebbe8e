"""How the command line tells that something is wrong, whatever the command."""

import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def cli(tmp_path_factory, typed):
    return typed(tmp_path_factory.mktemp("cli"))


def test_debug_shows_where_an_error_came_from_and_keeps_the_exit_code(cli):
    done = subprocess.run(
        [sys.executable, "-m", "srqueue.cli", "submit", "fotos", "--debug"],
        capture_output=True,
        text=True,
        env=cli.env,
    )
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "error: there is no data set 'fotos'" in done.stderr
    assert "error: there is no data set 'fotos'" in cli("submit", "fotos", code=2).stderr


@pytest.mark.parametrize("group", ["presets", "arch", "dataset"])
def test_a_group_without_a_command_shows_what_it_has_and_no_empty_error(cli, group):
    done = cli(group, code=2)
    assert "Usage: " in done.stdout + done.stderr
    assert "error" not in done.stderr
