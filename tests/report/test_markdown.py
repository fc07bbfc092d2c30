"""The report as Markdown: verdict first, tables that stay tables, and foreign text that is only text."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from l2probe.report import render
from l2probe.report.markdown import MOST_FINDINGS, grid, markdown
from tests.report.foreign import hostile
from tests.report.reports import REPORTS
from tests.report.test_diagnosis import REPORTS as DIAGNOSED

READER = MarkdownIt("commonmark").enable("table")
ALL = {**REPORTS, **DIAGNOSED}


def tags(document: str) -> set[str]:
    """Return the names of all elements that a reader makes of the Markdown."""
    return set(re.findall(r"<([a-z0-9]+)", READER.render(document)))


@pytest.mark.parametrize("name", ALL)
def test_the_verdict_comes_first_and_every_finding_is_there(name: str) -> None:
    """Who opens the job sees the verdict, then what this cluster does, then each finding with its fix."""
    report = ALL[name]
    document = render(report, "markdown")

    assert document.splitlines()[0] == f"## l2probe: {report.verdict.upper()}"
    for found in report.findings:
        assert f"### {found.verdict.upper()} {found.code}: " in document
    assert document.count("**Fix:**") == len(report.findings)
    assert document.count("<details>") == document.count("</details>")


def test_a_consequence_names_its_cause() -> None:
    """One broken thing is one heading to act on; the others say whose they are."""
    assert re.search(r"### FAIL D10: .*, a consequence of C03\n", render(REPORTS["foreign-owner"], "markdown"))


def test_capabilities_are_a_table_in_a_run_and_the_good_is_a_list_in_a_diagnosis() -> None:
    """Each flow shows what it proves."""
    assert "| reachable | yes | answered&#58;" not in render(REPORTS["pass"], "markdown")
    assert "| reachable | yes | answered: " in render(REPORTS["pass"], "markdown")
    healthy = render(DIAGNOSED["diagnose-healthy"], "markdown")
    assert "### Checked and good\n" in healthy
    assert "| Capability |" not in healthy


def test_foreign_text_is_only_text() -> None:
    """A Pod's name or a server's message makes no cell, no element, no link, no mention and no workflow command."""
    document = render(hostile(), "markdown")

    assert tags(document) <= {
        "h2",
        "h3",
        "p",
        "strong",
        "code",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "ul",
        "li",
    } | {*("details", "summary", "a")}
    assert re.findall(r'href="([^"]*)"', READER.render(document)) == ["https://example.net/1"]
    assert "<script" not in document
    assert "\n::" not in document
    assert "@you" not in document
    assert "\x1b" not in document


@given(cell=st.text(max_size=60))
def test_no_text_breaks_the_table(cell: str) -> None:
    """Whatever a cell holds, its row stays one row of as many cells."""
    drawn = READER.render(grid(("a", "b"), [(cell, "end")]))

    assert drawn.count("<tr>") == 2
    assert drawn.count("<td>") == 2


def test_a_long_report_stays_below_github_s_limit() -> None:
    """GitHub drops a summary above 1 MiB; what was left out is counted."""
    report = REPORTS["foreign-owner"]
    long = replace(report.findings[0], says="x" * 100_000, because=("y" * 100_000,) * 3)
    document = markdown(replace(report, findings=(long,) * 300))

    assert len(document.encode()) < 1024 * 1024
    assert f"{300 - MOST_FINDINGS} more findings are in the JSON report." in document
