"""l2probe as a kubectl plugin: what kubectl asks of a program named `kubectl_complete-l2probe` when Tab is pressed.

Protocol (kubectl 1.26, https://github.com/kubernetes/kubernetes/pull/105867): the words after `kubectl l2probe` as
arguments, the last being the one to complete; one candidate a line on stdout, with a tab before its description; last a
line with a colon and a directive of cobra (https://pkg.go.dev/github.com/spf13/cobra#ShellCompDirective).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import click
from click.shell_completion import CompletionItem, ShellComplete

from l2probe.cli import cli

PLUGIN = "kubectl l2probe"
FILES_TOO = 0
NO_FILES = 4
"""cobra's ShellCompDirectiveDefault and ShellCompDirectiveNoFileComp."""


def complete() -> None:
    """Answer kubectl and leave."""
    click.echo(answer(sys.argv[1:]))


def answer(words: Sequence[str]) -> str:
    """Return the candidates for the last of these words, in kubectl's format."""
    *before, incomplete = words or ("",)
    return spelled(ShellComplete(cli, {}, PLUGIN, "").get_completions(before, incomplete))


def spelled(found: Iterable[CompletionItem[str]]) -> str:
    """Return candidates as lines and the directive after them."""
    found = tuple(found)
    files = any(item.type in {"file", "dir"} for item in found)
    lines = [item.value + (f"\t{item.help}" if item.help else "") for item in found if item.type == "plain"]
    return "\n".join((*lines, f":{FILES_TOO if files else NO_FILES}"))
