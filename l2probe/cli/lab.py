"""`l2probe lab`: the miniature cluster that stays until it is told to go. Parses and prints; `l2probe.lab` works."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec

import click

from l2probe.cli import candidates, help_instead, terminal
from l2probe.cli.options import DEFAULT_PROFILE, control_plane_option
from l2probe.errors import UsageError

output_option = click.option(
    "-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True, help="How to show it."
)
LIBRARIES = ("aiohttp", "cryptography")
"""What the extra `lab` of the package brings; the other commands do without."""
PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.group(
    "lab",
    short_help="A miniature cluster of network namespaces to learn and to try in.",
    invoke_without_command=True,
)
@click.pass_context
def command(ctx: click.Context) -> int:
    """Run a miniature cluster of network namespaces: no root, no Docker. `lab up` stays until `lab down`."""
    return help_instead(ctx)


def need_libraries() -> None:
    """Raise UsageError when the lab's libraries are not installed: they come only when asked for."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"The lab needs {', '.join(missing)}, not installed here.", "Install them: `pip install 'l2probe[lab]'`."
        )


@command.command()
@click.option(
    "--profile",
    metavar="NAME",
    shell_complete=candidates.profiles,
    help=f"What the lab plays (default: {DEFAULT_PROFILE}, or what a fault needs).",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME",
    shell_complete=candidates.faults,
    help="Break it in this way first; repeatable.",
)
@control_plane_option
def up(profile: str | None, faults: tuple[str, ...], control_plane: str) -> int:
    """Start the lab and leave it running."""
    need_libraries()
    from l2probe.lab import session  # noqa: PLC0415 - brings the lab's libraries

    show_status(asdict(session.up(profile, faults, control_plane)), "table")
    return 0


@command.command()
def down() -> int:
    """Stop the running lab; nothing of it stays."""
    from l2probe.lab import session  # noqa: PLC0415 - brings the lab's libraries

    click.echo("The lab is down." if session.down() else "No lab was running.")
    return 0


@command.command()
@output_option
def status(output: str) -> int:
    """Say which lab is running; exit code 1 when none is."""
    from l2probe.lab import session  # noqa: PLC0415 - brings the lab's libraries

    running = session.status()
    if running is None:
        click.echo("null" if output == "json" else "No lab is running.")
        return 1
    show_status(asdict(running), output)
    return 0


def show_status(fields: Mapping[str, object], output: str) -> None:
    """Print what is known of the running lab."""
    if output == "json":
        click.echo(json.dumps(fields))
        return
    from l2probe.report.layout import NARROWEST, wrap  # noqa: PLC0415 - only to draw

    name_width, columns = max(len(name) for name in fields), terminal.width()
    for name, value in fields.items():
        text = ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
        first = f"{name:<{name_width}}  "
        click.echo(wrap(text, max(columns, NARROWEST), first) if columns else f"{first}{text}".rstrip())


@command.command(
    context_settings=PASS_ON, short_help="Open a shell on the lab's client machine, or run a command there."
)
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
def shell(argv: tuple[str, ...]) -> int:
    """Open a shell on the lab's client machine with KUBECONFIG set, or run COMMAND there."""
    from l2probe.lab import session  # noqa: PLC0415 - brings the lab's libraries

    return session.inside(argv)


@command.command(context_settings=PASS_ON, short_help="Run kubectl against the lab.")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def kubectl(args: tuple[str, ...]) -> int:
    """Run kubectl against the lab, e.g. `l2probe lab kubectl get pods -A`."""
    from l2probe.lab import session  # noqa: PLC0415 - brings the lab's libraries

    return session.inside(["kubectl", *args])


@command.command()
@output_option
def profiles(output: str) -> int:
    """List the clusters that the lab can play."""
    from l2probe.lab.profiles import PROFILES  # noqa: PLC0415 - only here

    _table([{"name": name, "about": profile.about} for name, profile in PROFILES.items()], output)
    return 0


@command.command()
@output_option
def faults(output: str) -> int:
    """List the ways in which the lab can be broken."""
    from l2probe.lab.faults import FAULTS  # noqa: PLC0415 - only here

    columns = ("name", "raises", "command", "about") if output == "json" else ("name", "raises", "about")
    rows = [{column: str(getattr(fault, column)) for column in columns} for fault in FAULTS.values()]
    _table(rows, output)
    return 0


def _table(rows: Sequence[Mapping[str, str]], output: str) -> None:
    if output == "json":
        click.echo(json.dumps(rows))
        return
    from l2probe.report.layout import columns  # noqa: PLC0415 - only to draw

    click.echo(columns([tuple(row.values()) for row in rows], terminal.width()))


@command.command()
@click.argument("name", shell_complete=candidates.faults)
def fault(name: str) -> int:
    """Break the running lab in one way; `lab faults` lists the ways."""
    from l2probe.lab import session  # noqa: PLC0415 - brings the lab's libraries

    session.fault(name)
    click.echo(f"Fault {name} is on; `l2probe lab heal` ends it.")
    return 0


@command.command()
def heal() -> int:
    """End every fault of the running lab."""
    from l2probe.lab import session  # noqa: PLC0415 - brings the lab's libraries

    session.heal()
    click.echo("The lab is whole again.")
    return 0
