"""Report -> text, and back. The libraries behind each form are imported only when that form is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from l2probe.errors import UsageError
from l2probe.model import Report

OUTPUTS = ("table", "wide", "json", "yaml", "markdown")
_CONTROL = re.compile(r"\x1b(?!\[[0-9;]*m)|[\x00-\x09\x0b-\x1a\x1c-\x1f\x7f-\x9f]")


def render(report: Report, output: str, *, color: bool = False, width: int = 100, whole: bool = False) -> str:
    """Return the report as text that ends with a newline.

    `output` is one of OUTPUTS, `width` the columns that tables may take, `color` whether ANSI colours are wanted;
    `whole`: no table is folded or loses a column to the width, because no terminal shows it.
    Raises UsageError for another output.
    """
    if output in {"table", "wide"}:
        from l2probe.report.table import table  # noqa: PLC0415 - tabulate only where a table is wanted

        return printable(table(report, color=color, width=width, wide=output == "wide", whole=whole))
    if output not in OUTPUTS:
        raise UsageError(f"There was no output {output!r}.", f"Choose one of {', '.join(OUTPUTS)}.")
    if output == "markdown":
        from l2probe.report.markdown import markdown  # noqa: PLC0415 - only where it is wanted

        return markdown(report)
    from l2probe.report import document  # noqa: PLC0415 - msgspec and yaml only where they are wanted

    return document.to_json(report) if output == "json" else document.report_yaml(report)


def printable(text: str) -> str:
    """Return text for a terminal: of control characters only line ends and our own colours are left.

    A report carries what others wrote (conditions, events, a saved report of somebody else's).
    """
    return _CONTROL.sub("", text)


def load(data: bytes) -> Report:
    """Return the Report in a saved JSON or YAML document; raises ReportError that says what is wrong with it."""
    from l2probe.report import document  # noqa: PLC0415 - likewise

    return document.load(data)


def schema() -> Mapping[str, Any]:
    """Return the JSON Schema of a report, generated from the dataclasses."""
    from l2probe.report import document  # noqa: PLC0415 - likewise

    return document.schema()
