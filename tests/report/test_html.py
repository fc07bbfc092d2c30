"""The report as one HTML file: complete, needing nothing else, and safe whatever was written into the evidence."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from l2probe.judge import CODES
from l2probe.model import Mac, NeighbourReply, NodeName, Report
from l2probe.report.html import html
from l2probe.report.pages import body_html
from l2probe.report.seen import seen
from l2probe.report.timeline import COLOURS
from tests.report.foreign import HOSTILE, hostile
from tests.report.reports import REPORTS
from tests.report.test_diagnosis import REPORTS as DIAGNOSED

ALL = {**REPORTS, **DIAGNOSED}
VOID = {"meta"}
KNOWN = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "article"),
    *("h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "a", "strong", "em", "code", "pre", "span", "div", "br"),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary", "svg", "rect"),
}


class Reader(HTMLParser):
    """Collects elements, attributes and text, and checks that what opens is closed in order."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost element, which must be this one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text.append(data)

    @property
    def words(self) -> str:
        """All text, blanks squeezed."""
        return " ".join(" ".join(self.text).split())


@pytest.mark.parametrize("name", ALL)
def test_the_document_is_well_formed_and_holds_the_whole_report(name: str) -> None:
    """Verdict, every finding with proof and fix, its page of the catalogue, and all evidence."""
    report = ALL[name]
    read = Reader(html(report))

    assert read.open == []
    assert {tag for tag, _ in read.elements} <= KNOWN
    assert report.verdict.upper() in read.words
    for found in report.findings:
        for text in (found.says, *found.because, found.remedy, CODES[found.code].title):
            assert " ".join(text.split()) in read.words
        assert f"What {found.code} means" in read.words
    for table in seen(report.evidence):
        assert f"{table.title} ({len(table.lines)})" in read.words


@pytest.mark.parametrize("report", [*ALL.values(), hostile()])
def test_it_asks_nobody_for_anything(report: Report) -> None:
    """It works offline and tells nobody that it was opened: nothing in it loads a resource or runs a script."""
    document = html(report)
    read = Reader(document)
    (policy,) = [attrs["content"] for _, attrs in read.elements if attrs.get("http-equiv")]
    style = document.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not re.search(r"url\(|@import|https?:", style)
    loading = {"src", "srcset", "data", "action", "style", "xlink:href"}
    for tag, attrs in read.elements:
        assert not loading & attrs.keys()
        assert not any(name.startswith("on") for name in attrs)
        assert tag == "a" or "href" not in attrs
    assert all(str(attrs["href"]).startswith("https://") for tag, attrs in read.elements if tag == "a")


def test_foreign_text_is_only_text() -> None:
    """Every byte that somebody else wrote reads as it was written, and makes no element."""
    document = html(hostile())
    read = Reader(document)

    assert "script" not in {tag for tag, _ in read.elements}
    assert document.count("</style>") == 1
    assert " ".join(HOSTILE.split()) in read.words
    assert "javascript:" not in document


@pytest.mark.parametrize("code", CODES)
def test_every_page_of_the_catalogue_becomes_html(code: str) -> None:
    """All sections of a page are there, as headings below the finding's."""
    read = Reader(body_html(code))

    assert [tag for tag, _ in read.elements].count("h4") == 7
    assert {tag for tag, _ in read.elements} <= KNOWN


def test_a_code_that_is_no_page_has_none() -> None:
    """A report of somebody else's reads no file by the name of its code."""
    assert body_html("../errors") == ""
    assert body_html("Z99") == ""


def test_the_timeline_shows_each_service_with_trials_frames_and_traffic() -> None:
    """What was seen when: a band for each trial, a mark for each frame and exchange."""
    read = Reader(html(REPORTS["foreign-owner"]))
    kinds = {kind for tag, attrs in read.elements if tag == "rect" for kind in str(attrs["class"]).split()}

    assert {"band", "m0", "mstranger", "mgood", "mlost"} <= kinds
    labels = [attrs["aria-label"] for tag, attrs in read.elements if tag == "svg"]
    assert len(labels) == len({trial.service.name for trial in REPORTS["foreign-owner"].evidence.trials})


def crowd(number: int) -> Report:
    """Return a report in which so many nodes sent a frame about one Service, one after the other."""
    report = REPORTS["pass"]
    evidence = report.evidence
    trial = evidence.trials[0]
    replies = tuple(
        NeighbourReply(
            at=trial.started + 0.01 * one,
            ip=trial.service.vips[0],
            mac=Mac(f"02:00:00:00:07:{one:02x}"),
            node=NodeName(f"n-{one:02}"),
            op="reply",
            solicited=True,
        )
        for one in range(number)
    )
    return replace(report, evidence=replace(evidence, trials=(replace(trial, replies=replies),), node_replies=replies))


@pytest.mark.parametrize("number", [3, 8, 9, 20, 32])
def test_senders_are_told_apart_beyond_the_colours(number: int) -> None:
    """From the ninth node on a mark also has another number of pieces, on the line as in the legend."""
    document = html(crowd(number))
    read = Reader(document)

    keys = [str(attrs["class"]) for tag, attrs in read.elements if tag == "span" and " p" in str(attrs.get("class"))]
    assert len(keys) == len(set(keys)) == number
    marks = Counter(str(a["x"]) for tag, a in read.elements if tag == "rect" and re.match(r"m m\d", str(a["class"])))
    assert sorted(marks.values()) == sorted(one // COLOURS + 1 for one in range(number))
    assert "more nodes than looks" not in document


def test_more_senders_than_looks_are_said_to_be_so() -> None:
    """Then only a mark's own words tell which of them it was."""
    assert "more nodes than looks" in html(crowd(33))


def test_jinja_is_loaded_only_where_html_is_wanted() -> None:
    """A table in a terminal does not wait for a template engine."""
    code = "import sys, l2probe.cli.judge, l2probe.cli.execute, l2probe.report.table; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
