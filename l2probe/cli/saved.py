"""Reading a saved report from a file or stdin, bounded."""

from __future__ import annotations

import sys
from pathlib import Path

from l2probe.errors import ReportError
from l2probe.model import Report
from l2probe.report import load

MAX_BYTES = 64 * 1024 * 1024


def read(path: Path) -> Report:
    """Return the report in this file (- is stdin); raises ReportError when there is none in it."""
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ReportError(f"{path} could not be read: {error.strerror}.") from error
    if len(data) > MAX_BYTES:
        raise ReportError(f"{path} was longer than {MAX_BYTES} bytes.", "A report of l2probe is never that long.")
    try:
        return load(data)
    except ReportError as error:
        raise ReportError(f"{'stdin' if str(path) == '-' else path}: {error.message}", error.hint) from error
