"""The table of commands: all of them, or only the one that is asked for."""

import pytest
from typer.main import get_command

from srqueue.cli.app import COMMANDS, app_for


def test_every_row_is_a_command():
    assert get_command(app_for([])).commands.keys() == {command.name for command in COMMANDS}


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_a_named_command_is_imported_alone(name):
    assert list(get_command(app_for([name, "--help"])).commands) == [name]


@pytest.mark.parametrize("arguments", [["--help"], ["lss"], ["--version", "ls"]])
def test_what_is_no_command_gets_all_of_them(arguments):
    assert len(get_command(app_for(arguments)).commands) == len(COMMANDS)
