"""JUnit XML in the subset that GitLab, Jenkins and GitHub actions read alike."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from l2probe.model import Report, Verdict
from l2probe.report.junit import junit
from tests.judge.evidence import PROFILES, each_trial, healthy
from tests.report.reports import REPORTS, report


def suite(of: Report) -> ET.Element:
    """Return the one test suite."""
    root = ET.fromstring(junit(of))
    assert root.tag == "testsuites"
    (only,) = root
    return only


def case(of: Report, name: str) -> ET.Element:
    """Return the test case of this name."""
    (only,) = (one for one in suite(of) if one.get("name") == name)
    return only


def kinds(element: ET.Element) -> list[str]:
    """Return what stands inside a test case."""
    return [child.tag for child in element]


@pytest.mark.parametrize("name", REPORTS)
def test_it_is_the_xunit2_subset(name: str) -> None:
    """Test cases have only classname, name and time; names are unique; the counts are right."""
    only = suite(REPORTS[name])
    cases = list(only)

    assert all(set(one.attrib) == {"classname", "name", "time"} for one in cases)
    assert len({(one.get("classname"), one.get("name")) for one in cases}) == len(cases)
    assert only.get("tests") == str(len(cases))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert only.get(attribute) == str(sum(tag in kinds(one) for one in cases))
    assert {tag for one in cases for tag in kinds(one)} <= {"failure", "error", "skipped", "system-out"}


SUITE = {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"}
TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")
"""Jenkins' xUnit plugin, junit-10.xsd: SUREFIRE_TIME."""


@pytest.mark.parametrize("name", REPORTS)
def test_the_suite_is_what_jenkins_schema_allows(name: str) -> None:
    """No attribute that the plugin's schema does not know, its times in its pattern, and messages nowhere else."""
    root = ET.fromstring(junit(REPORTS[name]))
    (only,) = root

    assert root.attrib == {}
    assert set(only.attrib) == SUITE
    assert TIME.fullmatch(only.get("time", "-"))
    assert all(TIME.fullmatch(one.get("time", "-")) for one in only)
    inner = [child for one in only for child in one]
    assert all(set(child.attrib) <= {"type", "message"} and len(child) == 0 for child in inner)
    assert all(child.attrib == {} for child in inner if child.tag == "system-out")


def test_reports_keep_far_below_gitlab_s_limit() -> None:
    """GitLab reads no report above 30 MB."""
    assert all(len(junit(one).encode()) < 1_000_000 for one in REPORTS.values())


@pytest.mark.parametrize("name", REPORTS)
def test_it_fails_exactly_when_the_report_does(name: str) -> None:
    """A failed report has a failure, a proven one has neither failure nor error."""
    only = suite(REPORTS[name])

    assert (only.get("failures") != "0") == (REPORTS[name].verdict is Verdict.FAIL)
    if REPORTS[name].verdict in {Verdict.PASS, Verdict.WARN}:
        assert only.get("errors") == "0"


@pytest.mark.parametrize("name", REPORTS)
def test_a_message_stands_in_attribute_and_text(name: str) -> None:
    """GitLab reads only the text, Jenkins shows the attribute."""
    for one in suite(REPORTS[name]):
        for child in one:
            if child.tag in {"failure", "error"}:
                assert child.get("message")
                assert (child.text or "").startswith(child.get("message") or "-")


def test_a_warning_passes_with_a_word() -> None:
    """A missing capability that nobody requires passes and says so in system-out."""
    only = case(REPORTS["hybrid"], "source udp4")

    assert kinds(only) == ["system-out"]
    assert "on-announcer-only" in (only[0].text or "")


def test_a_required_capability_that_is_missing_fails() -> None:
    """The same capability, required, is a failure."""
    required = report(replace(PROFILES["cilium-1.19-hybrid"], required=("source",)))

    assert kinds(case(required, "source udp4")) == ["failure"]
    assert kinds(case(required, "source tcp4")) == []
    assert kinds(case(required, "client address")) == ["failure"]


def test_what_was_asked_and_not_answered_is_an_error() -> None:
    """UNKNOWN is an error, not a pass and not a failure."""
    blind = report(each_trial(healthy(), lambda trial: replace(trial, exchanges=None)))

    assert kinds(case(blind, "reachable tcp4")) == ["error"]
    assert kinds(case(blind, "local tcp4")) == ["error"]
    assert kinds(case(blind, "everything asked was answered")) == ["error"]


def test_what_nobody_asked_is_skipped() -> None:
    """Without a trial of policy Local its checks are skipped."""
    narrow = report(replace(healthy(), trials=healthy().trials[:3]))

    assert kinds(case(narrow, "local tcp4")) == ["skipped"]


def test_a_family_of_consequences_does_not_fail_again() -> None:
    """Under a foreign owner the ownership family fails, the delivery family only says what followed."""
    foreign = REPORTS["foreign-owner"]

    assert kinds(case(foreign, "ownership")) == ["failure"]
    assert kinds(case(foreign, "delivery")) == ["system-out"]
    assert "a consequence of C03" in (case(foreign, "delivery")[0].text or "")


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    """A control character in an obstacle does not break the document."""
    evidence = each_trial(healthy(), lambda trial: replace(trial, obstacle="bad \x00\x1b[31m <&> \ud800 name"))

    assert "bad" in (case(report(evidence), "everything asked was answered")[0].text or "")
