"""The README tells the truth: every command, flag, profile suite and exit code that exists, and none that does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from l2probe import suites
from l2probe.cli import COMMANDS, cli

README = (Path(__file__).parents[1] / "README.md").read_text()


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its full name, groups included."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


ALL = dict(commands(cli))
FLAGS = {
    option
    for command in ALL.values()
    for parameter in command.params
    if isinstance(parameter, click.Option)
    for option in (*parameter.opts, *parameter.secondary_opts)
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    """A command that the README does not name does not exist for a newcomer."""
    assert f"l2probe {name}" in README


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help(name: str) -> None:
    """Each command says in its own help what it does."""
    assert ALL[name].help


@pytest.mark.parametrize("flag", sorted(FLAGS))
def test_every_flag_is_in_the_readme(flag: str) -> None:
    """Each flag that exists is documented."""
    assert f"`{flag}" in README


@pytest.mark.parametrize("flag", sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))))
def test_the_readme_names_no_flag_that_does_not_exist(flag: str) -> None:
    """Each flag in the README is real."""
    assert flag in FLAGS | {"--help", "--version"}


@pytest.mark.parametrize("suite", [suite.name for suite in suites.shipped()])
def test_every_shipped_suite_is_in_the_readme(suite: str) -> None:
    """Each suite that is shipped is named."""
    assert f"`{suite}`" in README


def test_the_suite_in_the_readme_is_one() -> None:
    """What a newcomer copies is accepted."""
    example = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)

    assert example is not None
    assert suites.parse(example[1], "README.md").require == ("reachable", "source")
