"""`l2probe diff`: what changed between two saved reports, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from l2probe.cli import terminal
from l2probe.cli.deliver import PIPE_WIDTH

if TYPE_CHECKING:
    from l2probe.diff import Change
    from l2probe.model import Report

SCHEMA = "l2probe/diff/v1"
NOTHING = "nothing"
UNLIKE = "One is of `{}`, the other of `{}`: they asked different questions, so better and worse may be that alone."


@click.command("diff", short_help="Show what changed between two saved reports.")
@click.argument("before", type=click.Path(path_type=Path, allow_dash=True))
@click.argument("after", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True, help="How to show it."
)
def command(before: Path, after: Path, output: str) -> int:
    """Show what changed between two saved reports (from `l2probe run -o json` or `l2probe diagnose -o json`), as after
    an upgrade: verdict, findings, capabilities, addresses, announcers, versions, settings. Exit code 1 when something
    got worse; a Service that lost an address did.

    BEFORE and AFTER are saved reports; - reads stdin.
    """  # noqa: D205 - click shows the paragraph
    from l2probe.cli.saved import read  # noqa: PLC0415 - brings the report's libraries
    from l2probe.diff import compare, got_worse  # noqa: PLC0415 - likewise

    if str(before) == str(after) == "-":
        raise click.UsageError("Only one of the two reports can come from stdin.")
    old, new = read(before), read(after)
    changes = compare(old, new)
    worse = got_worse(changes)
    width = terminal.width() or PIPE_WIDTH
    click.echo(document(old, new, changes, worse=worse) if output == "json" else table(old, new, changes, width))
    return 1 if worse else 0


def document(old: Report, new: Report, changes: Sequence[Change], *, worse: bool) -> str:
    """Return the changes as one JSON document."""
    ends = {
        name: {"started": report.started, "tool": report.tool, "command": report.command, "verdict": report.verdict}
        for name, report in (("before", old), ("after", new))
    }
    return json.dumps({"schema": SCHEMA, **ends, "worse": worse, "changes": [asdict(one) for one in changes]}, indent=2)


def table(old: Report, new: Report, changes: Sequence[Change], width: int) -> str:
    """Return the changes as text, `width` columns wide: one line each, the worst first."""
    unlike = old.evidence.command != new.evidence.command
    careful = f"\n{UNLIKE.format(old.evidence.command, new.evidence.command)}" if unlike else ""
    head = f"{old.verdict.upper()} ({old.started}) -> {new.verdict.upper()} ({new.started}){careful}"
    if not changes:
        return f"{head}\n\nNothing changed."
    return "\n".join([head, "", *(lines(change, width) for change in changes)])


def lines(change: Change, width: int) -> str:
    """Return one change: what it means, what it is about, before and after; of a finding what it says."""
    from l2probe.report.layout import NARROWEST, wrap  # noqa: PLC0415 - only to draw

    what = " ".join(filter(None, (change.topic, change.subject)))
    effect, width = f"{change.effect.upper():<9}", max(width, NARROWEST)
    shown = wrap(f"{what}: {change.before or NOTHING} -> {change.after or NOTHING}", width, effect)
    return "\n".join(filter(None, (shown, change.says and wrap(change.says, width, " " * len(effect)))))
