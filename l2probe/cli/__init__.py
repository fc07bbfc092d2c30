"""The command line: parse, call, print, exit. Commands load when they are used, so that `--help` imports click alone.

The one error boundary is here: every failure ends as one sentence and a hint on stderr (and, for `-o json`, as one JSON
document on stdout) with exit code 2, so that no pipeline reads our own failure as "the network is broken".
"""

from __future__ import annotations

import errno
import gc
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import click

from l2probe import __version__
from l2probe.errors import L2ProbeError

COULD_NOT_TELL = 2
"""Exit code of everything that is neither proven good (0) nor proven broken (1)."""
YOUNG_OBJECTS = 50_000
"""New objects between two looks for cycles; 700, the default, means five hundred looks while a command is imported."""
GITHUB = "GITHUB_ACTIONS"
"""The variable that is "true" in a job of GitHub Actions, whose runner reads workflow commands from stderr too."""
PLUGIN_PREFIX = "kubectl-"
"""https://kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins/"""

COMMANDS = {
    "run": "Prove announcer, reachability, client address and policy Local.",
    "diagnose": "Find out what is wrong with existing Services; changes nothing.",
    "audit": "Look over every LoadBalancer Service; changes nothing.",
    "judge": "Judge the evidence in saved JSON reports again, offline.",
    "diff": "Show what changed between two saved reports.",
    "explain": "Explain a finding: symptom, cause, evidence, fix.",
    "cleanup": "Remove what interrupted runs left in the cluster.",
    "rbac": "Print the least rights that a command needs.",
    "lab": "A miniature cluster of network namespaces to learn and to try in.",
    "completion": "Print the script that lets Tab complete l2probe.",
}
"""Every command with its short help, so that listing them imports none."""


class Commands(click.Group):
    """The group that loads its commands lazily and turns every failure into a sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of this command, which holds it as `command`."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"l2probe.cli.{cmd_name}").command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table without importing a command."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> NoReturn:  # noqa: ANN401 - as in click
        """Run and exit with the code of the design: 0 proven good, 1 proven broken, 2 could not tell."""
        if sys.stdout is None:  # started with stdout closed
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - for as long as the process lives
        gc.set_threshold(YOUNG_OBJECTS)
        argv = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        extra["obj"] = argv
        code = self._bounded(argv, rest, extra)
        gc.freeze()  # else the interpreter looks for cycles once more before it ends, among all that an audit read
        sys.exit(code)

    def _bounded(self, argv: list[str], rest: tuple[Any, ...], extra: dict[str, Any]) -> int:
        try:
            code = super().main(argv, *rest, **extra)
            sys.stdout.flush()
        except click.ClickException as error:
            where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else program()
            return complain(argv, error.format_message(), f"See `{where} --help`.")
        except L2ProbeError as error:
            return complain(argv, error.message, error.hint)
        except (click.Abort, KeyboardInterrupt):
            return complain(argv, "Interrupted.", "")
        except BrokenPipeError:
            _drop_stdout()
            return COULD_NOT_TELL
        except Exception as error:  # noqa: BLE001 - the boundary: a crash of ours must exit with 2, never with 1
            return _crash(argv, error)
        return code if isinstance(code, int) else 0


def _drop_stdout() -> None:
    """Send what is still to be written nowhere; else the interpreter complains at its end, with a code of its own."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(argv: Sequence[str], message: str, hint: str) -> int:
    """Say what failed and what to do; returns the exit code."""
    for_people, for_programs = last_words(argv, message, hint)
    click.echo(for_people, err=True, nl=False)
    if os.environ.get(GITHUB) == "true":
        from l2probe.report.github import command  # noqa: PLC0415 - only when it failed, and only there

        click.echo(command("error", "l2probe", f"{message} {hint}".strip()), err=True)
    click.echo(for_programs, nl=False)
    return COULD_NOT_TELL


def last_words(argv: Sequence[str], message: str, hint: str) -> tuple[str, str]:
    """Return what an error puts on stderr, and on stdout: nothing, or the one JSON document that was asked for."""
    for_people = f"error: {message}\n" + (f"hint: {hint}\n" if hint else "")
    if not wants_json(argv):
        return for_people, ""
    import json  # noqa: PLC0415 - only when it failed

    return for_people, json.dumps({"schema": "l2probe/error/v1", "error": message, "hint": hint}) + "\n"


def _crash(argv: Sequence[str], error: Exception) -> int:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        _drop_stdout()
        return complain(argv, "stdout could not be written: no space was left.", "Write the report elsewhere.")
    if {"-v", "--verbose"} & set(argv):
        import traceback  # noqa: PLC0415 - only when it failed

        traceback.print_exception(error)
    said = f"l2probe itself failed: {type(error).__name__}: {error}"
    return complain(argv, said, "This is a defect of l2probe; -v shows the traceback.")


def wants_json(argv: Sequence[str]) -> bool:
    """Tell whether a command line asks for JSON, even one that could not be parsed."""
    apart = any(word in {"-o", "--output"} and value == "json" for word, value in pairwise(argv))
    return apart or not {"-ojson", "--output=json"}.isdisjoint(argv)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 proven good, 1 proven broken, 2 could not tell.",
)
@click.version_option(__version__, prog_name="l2probe")
@click.pass_context
def cli(ctx: click.Context) -> int:
    """Prove from outside the cluster who owns a LoadBalancer address, and that traffic to it arrives."""
    return help_instead(ctx)


def help_instead(ctx: click.Context) -> int:
    """Show a group's help when it was called without a command; that proves nothing, so it is not a success."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
    return COULD_NOT_TELL


def program() -> str:
    """Return what the user typed to start us: a program named kubectl-NAME is kubectl's plugin `kubectl NAME`."""
    name = Path(sys.argv[0]).name
    return f"kubectl {name.removeprefix(PLUGIN_PREFIX)}" if name.startswith(PLUGIN_PREFIX) else "l2probe"


def main() -> NoReturn:
    """Run the command line and exit; SIGTERM ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cli.main(prog_name=program(), complete_var="_L2PROBE_COMPLETE")
