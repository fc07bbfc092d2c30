"""Report -> text, and back. The libraries behind each form are imported only when that form is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l2probe.errors import UsageError
from l2probe.model import Report

OUTPUTS = ("table", "wide", "json", "yaml")


def render(report: Report, output: str, *, color: bool = False, width: int = 100) -> str:
    """Return the report as text that ends with a newline.

    `output` is one of OUTPUTS, `width` the columns that tables may take, `color` whether ANSI colours are wanted.
    Raises UsageError for another output.
    """
    if output in {"table", "wide"}:
        from l2probe.report.table import table  # noqa: PLC0415 - tabulate only where a table is wanted

        return table(report, color=color, width=width, wide=output == "wide")
    if output not in OUTPUTS:
        raise UsageError(f"There was no output {output!r}.", f"Choose one of {', '.join(OUTPUTS)}.")
    from l2probe.report import document  # noqa: PLC0415 - msgspec and yaml only where they are wanted

    return document.to_json(report) if output == "json" else document.report_yaml(report)


def load(data: bytes) -> Report:
    """Return the Report in a saved JSON or YAML document; raises ReportError that says what is wrong with it."""
    from l2probe.report import document  # noqa: PLC0415 - likewise

    return document.load(data)


def schema() -> Mapping[str, Any]:
    """Return the JSON Schema of a report, generated from the dataclasses."""
    from l2probe.report import document  # noqa: PLC0415 - likewise

    return document.schema()
