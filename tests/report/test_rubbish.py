"""Reports that were cut off, mixed up, or written by somebody else: read and shown, or refused in a sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from l2probe.diff import compare
from l2probe.errors import L2ProbeError
from l2probe.judge import conclude
from l2probe.model import Report
from l2probe.report import load, render
from l2probe.report.html import html
from l2probe.report.junit import junit
from tests.mangling import CHANGES, Change, mangled
from tests.report.reports import REPORTS

OUTPUTS = ("table", "wide", "json", "yaml", "markdown")
DOCUMENTS = {name: json.loads(render(report, "json")) for name, report in REPORTS.items()}


SMALL = sorted(DOCUMENTS, key=lambda name: len(str(DOCUMENTS[name])))[:8]
"""Those that are judged quickly."""


def shown(report: Report) -> None:
    """Judge, compare and show a report in every form."""
    again = conclude(
        report.evidence, started=report.started, duration_seconds=report.duration_seconds, command=report.command
    )
    for one in (report, again):
        compare(one, REPORTS["mtu"])
        compare(REPORTS["mtu"], one)
        junit(one).encode()
        html(one).encode()
        for output in OUTPUTS:
            render(one, output).encode()


def read(data: bytes) -> Report | None:
    """Return the report; None when it was refused in a sentence."""
    try:
        return load(data)
    except L2ProbeError as error:
        return None if error.message else pytest.fail("refused without a word")


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SMALL), CHANGES)
def test_a_mangled_report_is_refused_or_shown(name: str, changes: list[Change]) -> None:
    """Whatever stands in it: one sentence, or a report in every form; never a traceback."""
    report = read(json.dumps(mangled(DOCUMENTS[name], changes)).encode())
    if report is not None:
        shown(report)


@settings(deadline=None, max_examples=15)
@given(st.sampled_from(sorted(REPORTS)), st.sampled_from(("json", "yaml")), st.floats(0, 0.99))
def test_a_report_that_was_cut_off_is_refused_or_shown(name: str, output: str, share: float) -> None:
    """A download that ended early: one sentence, or what is left; never a traceback."""
    data = render(REPORTS[name], output).encode()
    report = read(data[: int(share * len(data))])
    if report is not None:
        shown(report)


@given(st.binary(max_size=300))
def test_any_bytes_are_no_traceback(data: bytes) -> None:
    """Anything may lie in a file."""
    with pytest.raises(L2ProbeError):
        load(data)
