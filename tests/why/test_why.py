"""Why a finding was raised or was not: the rules themselves answer, on every code and every kind of report."""

from __future__ import annotations

import ast
import inspect
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FunctionType

import pytest

from l2probe.errors import UsageError
from l2probe.judge import CODES, judge
from l2probe.judge.finding import Rule, finding
from l2probe.judge.prediction import PREDICTIONS
from l2probe.judge.table import API_RULES, RANK, WIRE_RULES
from l2probe.model import Evidence, Finding, NodeName, Verdict
from l2probe.report import render
from l2probe.why import codes_of, rules_of, why
from l2probe.why.tracing import watch
from l2probe.why.words import words
from tests.cli.test_cli import l2probe
from tests.report.reports import REPORTS
from tests.report.test_diagnosis import REPORTS as DIAGNOSED

REPORTED = {**REPORTS, **DIAGNOSED}
KINDS = (
    "pass",
    "no-pool",
    "no-policy",
    "silent-leader",
    "duplicate-announcers",
    "dsr-not-effective",
    "diagnose-two-faults",
)
RULES = (*API_RULES, *WIRE_RULES, *PREDICTIONS)


@pytest.mark.parametrize("name", KINDS)
def test_the_answer_agrees_with_the_report_for_every_code(name: str) -> None:
    """What was raised came out of a way, and a way that raised nothing shows the condition at which it stopped."""
    evidence = REPORTED[name].evidence
    for code in CODES:
        answer = why(evidence, code)

        assert answer.raised == tuple(found for found in judge(evidence) if found.code == code)
        assert answer.rules
        ways = [way for rule in answer.rules for way in rule.ways or ()]
        assert any(way.raised for way in ways) == bool(answer.raised)
        for rule in answer.rules:
            ended = [way for way in rule.ways or () if way.raised or way.pattern or way.instead]
            stopped = [way for way in rule.ways or () if any(not step.passed for step in way.steps)]
            assert ended or stopped or rule.ways in {(), None}


def test_every_code_that_a_rule_raises_stands_in_its_first_sentence() -> None:
    """That is how the rules of a code are found: the codes in their source are the codes that they name."""
    assert set(RANK) <= {code for rule in RULES for code in codes_of(rule)}
    for rule in RULES:
        assert isinstance(rule, FunctionType)
        named = {
            node.value
            for function in reachable(rule)
            for call in ast.walk(ast.parse(inspect.getsource(function)))
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "finding" and call.args
            for node in ast.walk(call.args[0])
            if isinstance(node, ast.Constant) and node.value in CODES
        }
        assert named <= codes_of(rule), rule.__name__


def reachable(rule: FunctionType) -> Iterator[FunctionType]:
    """Yield the rule and the functions of its module that it calls by name, directly or through a table."""
    seen: dict[FunctionType, None] = {}
    waiting = [rule]
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen[function] = None
        for name in function.__code__.co_names:
            value = function.__globals__.get(name)
            found = value.values() if isinstance(value, dict) else (value,)
            waiting += [one for one in found if isinstance(one, FunctionType) and one.__module__ == rule.__module__]
    yield from seen


def test_the_first_condition_that_did_not_hold_is_named_with_its_values_for_each_service() -> None:
    """On a healthy cluster B07 stops because every address was answered for; each Service is told apart."""
    text = words(why(REPORTS["pass"].evidence, "B07"), 100)

    assert "Not raised." in text
    assert (
        "l2probe-0badcafe/smoke-source: not raised.\n"
        "    - had nothing or did not hold: (addresses := announceable(case, proven=True))\n"
        "      announceable(case, proven=True): none\n"
    ) in text
    assert "silent(l2probe-0badcafe/smoke-source, 198.51.100.40): no" in text
    assert "(Whether nobody answered for this VIP while a backend was ready and neighbours were heard" in text
    assert "l2probe-0badcafe/smoke-local: not raised." in text


def test_what_was_raised_shows_what_held() -> None:
    """B07 was raised, so its conditions held for each Service."""
    text = words(why(REPORTS["silent-leader"].evidence, "silent-leader"), 110)

    assert "Raised as FAIL: " in text
    assert "/smoke-source: raised.\n    + held: (addresses := announceable(case, proven=True)) and (holder" in text
    assert "/smoke-local: raised.\n    + held: " in text


def test_a_consequence_names_what_explains_it() -> None:
    """The wrong answers are the foreign owner's doing."""
    text = words(why(REPORTS["foreign-owner"].evidence, "D10"), 300)

    assert "Raised as FAIL, and shown as a consequence of C03, which explains it: " in text


def test_another_code_of_the_same_rule_is_named_instead() -> None:
    """Two nodes answered and not all: C06 ended as C01."""
    text = words(why(REPORTS["duplicate-announcers"].evidence, "C06"), 100)

    assert "not raised, C01 was raised." in text


def test_patterns_in_the_traffic_show_their_numbers() -> None:
    """Of lost traffic the patterns that were compared are shown, those that fitted first, and not all."""
    text = words(why(REPORTS["mtu"].evidence, "D06"), 100)

    assert "payloads of 1452 bytes and more: the pattern fitted.\n" in text
    assert "payloads of 1472 bytes and more: the pattern did not fit.\n" in text
    assert "    - held, so it stopped: lost_out > (1 - PURITY) * len(outside)\n" in text
    assert "      lost_out = sum((one.lost for one in outside)): 12\n" in text
    assert "more ways did not come further." in text


def test_a_rule_that_the_vantage_forbids_is_said_to_have_been_left_out() -> None:
    """On a cluster node nothing about the wire is asked; what the API says still is."""
    evidence = REPORTS["pass"].evidence
    evidence = replace(evidence, vantage=replace(evidence.vantage, cluster_node=NodeName("node-1")))

    assert "It was not asked: this host is cluster node node-1" in words(why(evidence, "B07"), 200)
    assert why(evidence, "B07").rules[0].ways is None
    assert why(evidence, "A01").rules[0].ways is not None


def test_a_rule_needs_nothing_for_it() -> None:
    """A rule that was written a minute ago, in the form of the others, is explained like them."""
    ways = watch(of_two_names, REPORTS["pass"].evidence, "V05")

    assert [(step.text, step.held, step.passed) for step in ways[0].steps] == [
        ("evidence.command == 'diagnose'", False, True),
        ("not named", True, False),
    ]
    assert ways[0].steps[1].facts[0].text == "named = [s for s in evidence.suites if len(s) > 99]"
    assert ways[0].steps[1].facts[0].value == "none"


def of_two_names(evidence: Evidence) -> Iterator[Finding]:
    """V05: an example."""
    if evidence.command == "diagnose":
        return
    named = [s for s in evidence.suites if len(s) > 99]
    if not named:
        return
    yield finding("V05", Verdict.WARN, says="", because=(), remedy="")


of_two_names.__module__ = "l2probe.judge.example"


def test_watching_leaves_no_trace() -> None:
    """A debugger or a coverage tool that was there before is there afterwards."""
    before = sys.gettrace(), sys.getprofile()
    why(REPORTS["mtu"].evidence, "D06")

    assert (sys.gettrace(), sys.getprofile()) == before


@pytest.mark.parametrize(
    ("reference", "hint"),
    [("silent-leadr", "Did you mean B07 silent-leader"), ("B77", "B07"), ("???", "`l2probe explain` lists all.")],
)
def test_an_unknown_code_names_the_nearest(reference: str, hint: str) -> None:
    """A slip of the finger costs one look at the hint."""
    with pytest.raises(UsageError) as raised:
        why(REPORTS["pass"].evidence, reference)

    assert repr(reference) in raised.value.message
    assert hint in raised.value.hint


@pytest.mark.parametrize("code", ["A01", "D06", "C01"])
def test_the_rules_of_a_code(code: str) -> None:
    """Every code has a rule, and several may share one."""
    rules: list[Rule] = list(rules_of(code))

    assert rules


def test_the_command_shows_it_as_text_and_json_and_keeps_the_exit_code(tmp_path: Path) -> None:
    """`judge REPORT --explain-why CODE`; the report itself is not shown then."""
    path = tmp_path / "report.json"
    path.write_text(render(REPORTS["silent-leader"], "json"))
    text = l2probe("judge", str(path), "--explain-why", "b07")
    document = l2probe("judge", str(path), "--explain-why", "B07", "-o", "json")
    wrong = l2probe("judge", str(path), "--explain-why", "B70")

    assert text.exit_code == document.exit_code == 1
    assert text.stdout.startswith("B07 silent-leader: The lease is held and fresh, and nobody answers.\n")
    assert "CAPABILITY" not in text.stdout
    assert json.loads(document.stdout)["rules"][0]["rule"] == "silent_leader"
    assert wrong.exit_code == 2
    assert wrong.stdout == ""
    assert "There was no finding 'B70'." in wrong.stderr
