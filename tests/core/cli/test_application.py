"""The command line finds the commands that are installed, and words what goes wrong."""

import sys

import pytest

from luthier.core.cli.application import main

COMMAND = """
from luthier.core import Plugin, hookimpl

class Fake(Plugin):
    '''Say which of two it is.'''

    @hookimpl
    def build_command(self):
        return lambda: print('the stranger')
"""


@pytest.fixture
def luthier(monkeypatch, capsys):
    """Return what `luthier WORDS` leaves with, and prints on either stream."""

    def ran(*words):
        monkeypatch.setattr(sys, "argv", ["luthier", *words])
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return left.value.code or 0, said.out + said.err

    return ran


def test_a_misspelt_command_is_answered_with_the_nearest_and_with_all_there_are(luthier):
    code, said = luthier("trian", "run.yaml")
    assert code == 2
    assert "no command 'trian'. Did you mean 'train'? Commands: chat, check, data, explain" in said
    code, said = luthier("frob")
    assert code == 2
    assert "Commands: chat, check, data, explain" in said


@pytest.mark.parametrize("words", [["run.yaml", "--overwrite"], ["--help"], []])
def test_a_broken_command_says_why_whatever_it_is_given(luthier, install, words):
    install("fake-a", {"luthier.commands": {"fake": "fake_command:Fake"}}, fake_command="1 / 0")
    code, said = luthier("fake", *words)
    assert code == 2
    assert "is broken: ZeroDivisionError" in said
    assert "(broken)" in luthier("--help")[1]


def test_of_two_commands_of_one_name_each_can_be_called_by_its_owner(luthier, install):
    install("fake-a", {"luthier.commands": {"schema": "fake_command:Fake"}}, fake_command=COMMAND)
    code, said = luthier("schema", "x")
    assert code == 2
    assert "Choose one: `fake-a:schema` or `luthier:schema`" in said
    assert luthier("fake-a:schema") == (0, "the stranger\n")
    assert "draft/2020-12" in luthier("luthier:schema")[1]


USAGE = {
    "train": "RUN [KEY=VALUE]...",
    "check": "RUN [KEY=VALUE]...",
    "explain": "RUN [KEY=VALUE]...",
    "chat": "MODEL [KEY=VALUE]...",
    "resume": "RUN_DIR",
    "init": "[FILE]",
    "plugins": "[KIND | show KIND NAME]",
    "template render": "NAME MESSAGES.json [KEY=VALUE]...",
}


@pytest.mark.parametrize("command", USAGE)
def test_a_usage_line_reads_as_people_write_one(luthier, command):
    _, said = luthier(*command.split(), "--help")
    assert said.splitlines()[0] == f"Usage: luthier {command} [OPTIONS] {USAGE[command]}"


def test_a_kind_of_which_nothing_is_installed_is_told_to_be_empty(luthier):
    assert luthier("plugins", "benchmarks") == (
        0,
        "No plugin of the kind benchmarks is installed.\n",
    )
