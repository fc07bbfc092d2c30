"""The report of a diagnosis: what is wrong first, what was found good, what cannot be known; short when all is well."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from l2probe.judge import conclude
from l2probe.model import Datapath, Evidence, Outcome, Port, Protocol, Report
from l2probe.report import load, render
from l2probe.report.checked import checked
from l2probe.report.junit import junit
from l2probe.report.seen import seen
from tests.judge.diagnosed import API, all_end, diagnosed, off_announcer, unheard, with_trial
from tests.judge.evidence import FOREIGN

GOLDEN = Path(__file__).parent / "golden"


def report(evidence: Evidence) -> Report:
    """Return the report about this evidence, with fixed times."""
    return conclude(evidence, started="2026-11-23T20:00:00Z", duration_seconds=0.7, command="l2probe diagnose --all")


DNS = replace(API, ports=(Port(protocol=Protocol.UDP, port=53),))
REPORTS = {
    "diagnose-healthy": report(diagnosed()),
    "diagnose-snat": report(diagnosed(datapath=Datapath.SNAT)),
    "diagnose-silent": report(unheard(diagnosed())),
    "diagnose-two-faults": report(
        off_announcer(all_end(diagnosed("v1.19.4"), Outcome.TIMEOUT, "api"), Outcome.TIMEOUT)
    ),
    "diagnose-udp-only": report(with_trial(diagnosed(), "api", lambda one: replace(one, service=DNS, exchanges=()))),
}
WIDTHS = (80, 120)


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", WIDTHS)
def test_the_diagnosis_looks_as_agreed(name: str, width: int) -> None:
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
def test_wrong_comes_before_good_and_good_before_unknown(name: str) -> None:
    """The order in which somebody at 3 a.m. reads."""
    text = render(REPORTS[name], "table")

    places = [text.find(mark) for mark in ("Fix: ", "CHECKED AND GOOD", "NOT KNOWN FROM HERE") if mark in text]
    assert places == sorted(places)


def test_a_healthy_report_is_short() -> None:
    """Verdict, what was checked, what `run` would prove besides: no table."""
    text = render(REPORTS["diagnose-healthy"], "table", width=120)

    assert len(text.splitlines()) <= 14
    assert "CAPABILITY" not in text
    assert "`l2probe run` proves it" in text


@pytest.mark.parametrize("name", REPORTS)
def test_the_report_survives_its_file(name: str) -> None:
    """JSON and YAML give back the same report, with whose Services they were."""
    for output in ("json", "yaml"):
        assert load(render(REPORTS[name], output).encode()) == REPORTS[name]


def test_junit_counts_what_is_broken() -> None:
    """A dead Service fails in CI, a healthy one does not."""
    suites = {name: ET.fromstring(junit(found)).find("testsuite") for name, found in REPORTS.items()}
    counts = {name: (s.get("failures"), s.get("errors")) for name, s in suites.items() if s is not None}

    assert counts["diagnose-healthy"] == ("0", "0")
    assert counts["diagnose-silent"][0] != "0"
    assert counts["diagnose-udp-only"][1] != "0"


def test_what_a_stranger_accepted_is_not_called_good() -> None:
    """Connections that a MAC of no node accepted are V06; beside it the report must not say that they arrived."""
    stolen = with_trial(
        diagnosed(),
        "api",
        lambda one: replace(one, exchanges=tuple(replace(each, reply_mac=FOREIGN) for each in one.exchanges or ())),
    )
    good = {line.partition(":")[0]: line for line in checked(report(stolen))}

    assert "node-1 alone answered" in good["shop/api"]
    assert "arrived" not in good["shop/api"]
    assert "arrived" in good["shop/web"]


def test_services_of_one_name_are_told_apart() -> None:
    """The tables of the evidence name a user's Service with its namespace; our own are all in one."""
    (heard, *_) = seen(diagnosed())

    assert {line[0] for line in heard.lines} == {"shop/api", "shop/web"}
