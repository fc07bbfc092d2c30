"""A finished report: shown, written to files, and turned into an exit code."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from l2probe.cli import COULD_NOT_TELL, GITHUB, terminal
from l2probe.errors import UsageError
from l2probe.judge import on_wire
from l2probe.model import Report, Verdict
from l2probe.report import render

EXIT_CODES = {Verdict.PASS: 0, Verdict.WARN: 0, Verdict.UNKNOWN: COULD_NOT_TELL, Verdict.FAIL: 1}
PIPE_WIDTH = 120
"""Columns of a table that no terminal shows."""


def show(report: Report, output: str, color: str) -> None:
    """Print a report to stdout."""
    columns = terminal.width()
    coloured = color == "always" or (color == "auto" and columns is not None and not os.environ.get("NO_COLOR"))
    text = render(report, output, color=coloured, width=columns or PIPE_WIDTH, whole=columns is None)
    click.echo(text.rstrip("\n"), color=coloured)


def check_writable(*paths: Path | None) -> None:
    """Raise UsageError for a file that could not be written, before anything is done for it."""
    for path in paths:
        if path is None:
            continue
        if not path.parent.is_dir():
            why, hint = f"{path.parent} is no directory", "Name a file in a directory that exists."
        elif path.is_dir():
            why, hint = "it is a directory", "Name a file."
        elif not os.access(path.parent, os.W_OK):
            why, hint = f"{path.parent} is not yours to write", "Name a file in a directory that you may write."
        else:
            continue
        raise UsageError(f"{path} cannot be written: {why}.", hint)


def write_files(report: Report, *, junit_file: Path | None, html_file: Path | None) -> None:
    """Write the files that were asked for; raises UsageError for one that cannot be written."""
    if junit_file is not None:
        write_junit(report, junit_file)
    if html_file is not None:
        from l2probe.report.html import html  # noqa: PLC0415 - jinja2 only where HTML is wanted

        write(html_file, html(report))


def write_junit(report: Report, path: Path) -> None:
    """Write JUnit XML; raises UsageError when it cannot be written."""
    from l2probe.report.junit import junit  # noqa: PLC0415 - reads XML, which few ask for

    write(path, junit(report))


def write(path: Path, text: str) -> None:
    """Write a file by rename, so that nobody reads half of it; raises UsageError when it cannot be written."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            file.write(text)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
    except OSError as error:
        raise UsageError(
            f"{path} could not be written: {error.strerror}.", "Name a file in a directory that exists."
        ) from error


def annotate(report: Report) -> None:
    """In a job of GitHub Actions, put each finding that ends it beside the job: workflow commands on stderr."""
    if os.environ.get(GITHUB) != "true":
        return
    from l2probe.report.github import workflow_commands  # noqa: PLC0415 - only there

    for line in workflow_commands(report):
        click.echo(line, err=True)


def exit_code(report: Report, *, strict: bool) -> int:
    """Return 0 proven good, 1 proven broken (or warned, when strict), 2 could not tell.

    An audit that did not ask on the wire proves nothing good: of it 0 means that nothing is foreseen to be broken.
    """
    if strict and report.verdict is Verdict.WARN:
        return 1
    if report.verdict is Verdict.UNKNOWN and not on_wire(report.evidence):
        return 0
    return EXIT_CODES[report.verdict]
