"""`l2probe diff`: what changed between two saved reports, for people and for programs."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from l2probe.diff import Change
    from l2probe.model import Report

SCHEMA = "l2probe/diff/v1"
WIDTH = 120
NOTHING = "nothing"


@click.command("diff", short_help="Show what changed between two saved reports.")
@click.argument("before", type=click.Path(path_type=Path, allow_dash=True))
@click.argument("after", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "-o", "--output", type=click.Choice(("table", "json")), default="table", show_default=True, help="How to show it."
)
def command(before: Path, after: Path, output: str) -> int:
    """Show what changed between two saved reports (from `l2probe run -o json` or `l2probe diagnose -o json`), as after
    an upgrade: verdict, findings, capabilities, announcers, versions, settings. Exit code 1 when something got worse.

    BEFORE and AFTER are saved reports; - reads stdin.
    """  # noqa: D205 - click shows the paragraph
    from l2probe.cli.saved import read  # noqa: PLC0415 - brings the report's libraries
    from l2probe.diff import compare, got_worse  # noqa: PLC0415 - likewise

    if str(before) == str(after) == "-":
        raise click.UsageError("Only one of the two reports can come from stdin.")
    old, new = read(before), read(after)
    changes = compare(old, new)
    worse = got_worse(changes)
    click.echo(document(old, new, changes, worse=worse) if output == "json" else table(old, new, changes))
    return 1 if worse else 0


def document(old: Report, new: Report, changes: Sequence[Change], *, worse: bool) -> str:
    """Return the changes as one JSON document."""
    ends = {
        name: {"started": report.started, "tool": report.tool, "command": report.command, "verdict": report.verdict}
        for name, report in (("before", old), ("after", new))
    }
    return json.dumps({"schema": SCHEMA, **ends, "worse": worse, "changes": [asdict(one) for one in changes]}, indent=2)


def table(old: Report, new: Report, changes: Sequence[Change]) -> str:
    """Return the changes as text: one line each, the worst first."""
    head = f"{old.verdict.upper()} ({old.started}) -> {new.verdict.upper()} ({new.started})"
    if not changes:
        return f"{head}\n\nNothing changed."
    return "\n".join([head, "", *(line for change in changes for line in lines(change))])


def lines(change: Change) -> list[str]:
    """Return one change: what it means, what it is about, before and after; of a finding what it says."""
    what = " ".join(filter(None, (change.topic, change.subject)))
    text = f"{what}: {change.before or NOTHING} -> {change.after or NOTHING}"
    pad = " " * 9
    shown = textwrap.wrap(
        text, WIDTH, initial_indent=f"{change.effect.upper():<9}", subsequent_indent=pad, break_long_words=False
    )
    return shown + textwrap.wrap(change.says, WIDTH, initial_indent=pad, subsequent_indent=pad, break_long_words=False)
