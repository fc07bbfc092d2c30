"""The report for a person: golden pictures, and what must hold at any width."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from l2probe.errors import UsageError
from l2probe.model import Verdict
from l2probe.report import printable, render
from tests.report.reports import REPORTS

GOLDEN = Path(__file__).parent / "golden"
WIDTHS = (80, 120)
PICTURES = [(name, width) for name in ("pass", "hybrid", "mtu", "foreign-owner", "silent-leader") for width in WIDTHS]


@pytest.mark.parametrize(("name", "width"), PICTURES)
def test_the_table_looks_as_agreed(name: str, width: int) -> None:
    """The text equals the golden file; L2PROBE_GOLDEN=write renews it, to be looked at before it is committed."""
    path = GOLDEN / f"{name}-{width}.txt"
    text = render(REPORTS[name], "table", width=width)
    if os.environ.get("L2PROBE_GOLDEN") == "write":
        path.write_text(text)

    assert text == path.read_text()


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_no_line_is_wider_than_asked(name: str, width: int) -> None:
    """Lines are wrapped to the width, at least 60 columns; only a single long name sticks out. No trailing blanks."""
    for line in render(REPORTS[name], "table", width=width).splitlines():
        assert len(line) <= max(width, 60) or len(line.split()) == 1, line
        assert line == line.rstrip()


@pytest.mark.parametrize("name", REPORTS)
def test_the_first_line_is_the_verdict(name: str) -> None:
    """At 3 a.m. the first word says how bad it is."""
    report = REPORTS[name]

    assert render(report, "table").startswith(report.verdict.upper())


@pytest.mark.parametrize("name", REPORTS)
def test_colour_changes_nothing_but_colour(name: str) -> None:
    """Without its escape sequences the coloured text is the plain text; plain text has none."""
    plain, coloured = render(REPORTS[name], "table"), render(REPORTS[name], "table", color=True)

    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert "\x1b" not in plain
    assert "\x1b" in coloured


@pytest.mark.parametrize("name", REPORTS)
def test_every_finding_is_there_with_its_remedy(name: str) -> None:
    """Each finding's code stands in the text, each cause's page too, consequences name their cause."""
    report = REPORTS[name]
    text = render(report, "table", width=200)

    for found in report.findings:
        assert f"{found.code} {found.slug}" in text
        assert f"a consequence of {found.consequence_of}" in text or found.consequence_of is None
        assert f"l2probe explain {found.code}" in text or found.consequence_of is not None


def test_wide_adds_the_evidence() -> None:
    """Wide shows who answered with which MAC, what was claimed, what each flow brought, and all links."""
    text = render(REPORTS["hybrid"], "wide", width=140)

    assert "WHO ANSWERED" in text
    assert "02:00:00:00:00:01" in text
    assert "Lease kube-system/cilium-l2announce-l2probe-0badcafe-smoke-source" in text
    assert re.search(r"off-announcer +udp4 +1472 +4 answered", text)
    assert "https://github.com/cilium/cilium/issues/27800" in text


def test_what_is_not_known_is_said() -> None:
    """What was asked and stayed open has a place of its own."""
    assert "NOT KNOWN" in render(REPORTS["foreign-owner"], "table")
    assert "NOT KNOWN" not in render(REPORTS["hybrid"], "table")


def test_a_pass_says_so_and_nothing_else() -> None:
    """A proven cluster has a verdict, its capabilities, and no findings."""
    text = render(REPORTS["pass"], "table")

    assert REPORTS["pass"].verdict is Verdict.PASS
    assert "All that was asked is proven." in text
    assert "Fix:" not in text


def test_an_unknown_output_is_refused() -> None:
    """The error names what there is."""
    with pytest.raises(UsageError, match="table, wide, json, yaml"):
        render(REPORTS["pass"], "toml")


def test_foreign_text_does_not_steer_the_terminal() -> None:
    """Escape sequences in a saved report, a condition or an event are not passed on; our own colours are."""
    assert printable("a\x1b]0;title\x07b\x1b[2Jc\rd\n") == "a]0;titleb[2Jcd\n"
    assert printable("\x1b[1;31mFAIL\x1b[0m\n") == "\x1b[1;31mFAIL\x1b[0m\n"


def test_a_code_of_a_newer_version_is_shown_by_its_slug() -> None:
    """A report that a newer version saved is shown as far as it is understood."""
    first, *others = REPORTS["silent-leader"].findings
    newer = replace(REPORTS["silent-leader"], findings=(replace(first, code="B99", slug="from-tomorrow"), *others))

    assert "from-tomorrow (B99)" in render(newer, "table")
