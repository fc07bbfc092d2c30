"""A finished report: shown, written to files, and turned into an exit code."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import click

from l2probe.cli import COULD_NOT_TELL
from l2probe.errors import UsageError
from l2probe.model import Report, Verdict
from l2probe.report import render
from l2probe.report.junit import junit

EXIT_CODES = {Verdict.PASS: 0, Verdict.WARN: 0, Verdict.UNKNOWN: COULD_NOT_TELL, Verdict.FAIL: 1}
PIPE_WIDTH = 120
"""Columns of a table that no terminal shows."""


def show(report: Report, output: str, color: str) -> None:
    """Print a report to stdout."""
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else PIPE_WIDTH
    coloured = color == "always" or (color == "auto" and terminal and not os.environ.get("NO_COLOR"))
    click.echo(render(report, output, color=coloured, width=width).rstrip("\n"), color=coloured)


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


def write_junit(report: Report, path: Path) -> None:
    """Write JUnit XML by rename, so that nobody reads half of it; raises UsageError when it cannot be written."""
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(junit(report))
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
    except OSError as error:
        raise UsageError(
            f"{path} could not be written: {error.strerror}.", "Name a file in a directory that exists."
        ) from error


def exit_code(report: Report, *, strict: bool) -> int:
    """Return 0 proven good, 1 proven broken (or warned, when strict), 2 could not tell."""
    if strict and report.verdict is Verdict.WARN:
        return 1
    return EXIT_CODES[report.verdict]
