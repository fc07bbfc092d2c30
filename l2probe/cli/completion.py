"""`l2probe completion`: the shell's side of completion. What it offers comes from `candidates`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "l2probe"
INSTRUCTION = "_L2PROBE_COMPLETE"
"""The variable by which the shell's function asks the program, as click derives it from the program's name."""


@click.command("completion", short_help="Print the script that lets Tab complete l2probe.")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the script that lets Tab complete l2probe in this shell.

    \b
    bash:  source <(l2probe completion bash)       in ~/.bashrc
    zsh:   source <(l2probe completion zsh)        in ~/.zshrc, after compinit
    fish:  l2probe completion fish | source        in ~/.config/fish/config.fish

    For `kubectl l2probe` nothing is needed but kubectl's own completion (kubectl 1.26 or later).
    """  # noqa: D301 - \b keeps click from wrapping
    shells = get_completion_class(shell)
    assert shells is not None
    click.echo(shells(ctx.find_root().command, {}, PROGRAM, INSTRUCTION).source())
    return 0
