"""The table of an audit: the worst first, honest about what was not asked, and the same out of a saved file."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from l2probe.cli.audit import failing
from l2probe.cli.deliver import exit_code
from l2probe.judge import conclude
from l2probe.judge.finding import finding
from l2probe.model import Evidence, Ip, Outcome, Report, Verdict
from l2probe.report import load, render
from l2probe.report.html import html
from l2probe.report.inventory import UNPROVEN, inventory, said, totals, unfinished
from l2probe.report.junit import SERVICES, junit
from l2probe.report.markdown import markdown
from tests.judge.audited import audited, held_by, on_the_wire
from tests.judge.diagnosed import all_end, off_announcer
from tests.judge.evidence import NODES
from tests.judge.test_prediction import blackhole, cluster, no_policy, services, without_claims


def report(evidence: Evidence) -> Report:
    """Return the report about the evidence."""
    return conclude(evidence, started="2026-11-26T10:00:00Z", duration_seconds=0.5, command="l2probe audit")


def shown(evidence: Evidence, *, color: bool = False, wide: bool = False) -> str:
    """Return what is printed."""
    return render(report(evidence), "wide" if wide else "table", color=color, width=120)


def test_the_api_alone_claims_and_proves_nothing() -> None:
    """Who is claimed, what stands on it, and no verdict where nothing was foreseen; no column of what was seen."""
    table = inventory(audited())

    assert "Seen at" not in table.head
    assert table.lines == (
        (UNPROVEN, "shop/api", "198.51.100.40, 2001:db8:1::40", "Cluster", "node-1", "0 of 1", ""),
        (UNPROVEN, "shop/web", "198.51.100.41, 2001:db8:1::41", "Local", "node-2", "1 of 2", ""),
    )


def test_the_wire_adds_who_was_seen_and_a_verdict() -> None:
    """A Service passes that one node announces and whose connects arrive."""
    lines = inventory(on_the_wire()).lines

    assert [line[:6] for line in lines] == [
        ("PASS", "shop/api", "198.51.100.40, 2001:db8:1::40", "Cluster", "node-1", "node-1"),
        ("PASS", "shop/web", "198.51.100.41, 2001:db8:1::41", "Local", "node-2", "node-2"),
    ]


def test_the_worst_comes_first() -> None:
    """A failure before a warning before what is unproven, whatever the names."""
    mixed = held_by(audited("v1.19.4"), "web", NODES[2])

    assert [line[1] for line in inventory(mixed).lines] == ["shop/web", "shop/api"]
    assert inventory(mixed).lines[0][-1] == "D01 local-policy-blackhole"
    assert totals(mixed) == "2 Services: 1 WARN, 1 unproven"


def test_what_did_not_answer_is_no_pass() -> None:
    """Without an answer to its connects a Service passes on no word of anybody."""
    lost = all_end(on_the_wire(), Outcome.REFUSED_RST, "api")

    assert inventory(lost).lines[0][0] == "FAIL"
    unheard = replace(on_the_wire(), trials=tuple(replace(t, replies=None) for t in on_the_wire().trials))
    assert {line[0] for line in inventory(unheard).lines} == {"UNKNOWN"}


def test_what_was_not_read_is_said() -> None:
    """None is no zero."""
    bare = services(
        replace(audited(), trials=tuple(replace(t, claims=None, announcer=None) for t in audited().trials)),
        lambda service: replace(service, backends=None),
    )

    assert {line[4:6] for line in inventory(bare).lines} == {("not read", "not read")}
    assert {line[4:6] for line in inventory(without_claims(audited())).lines} == {
        ("nobody", "? of 1"),
        ("nobody", "? of 2"),
    }


def test_a_dual_stack_pod_is_one_backend() -> None:
    """Two addresses of one Pod are counted once."""
    twice = services(
        audited(),
        lambda s: replace(
            s, backends=(*(s.backends or ()), *(replace(b, address=Ip("fd00::1")) for b in s.backends or ()))
        ),
    )

    assert [line[5] for line in inventory(twice).lines] == ["0 of 1", "1 of 2"]


def test_the_headline_keeps_prediction_and_proof_apart() -> None:
    """A prediction is called one; nothing foreseen is no praise."""
    assert "(B01, predicted)." in shown(no_policy()).splitlines()[0]
    assert "predicted" not in shown(off_announcer(replace(on_the_wire("v1.19.4")), Outcome.TIMEOUT)).splitlines()[0]
    assert shown(audited()).startswith(
        "UNKNOWN Nothing is predicted to go wrong (2 Services: 2 unproven); only the wire proves it (--on-wire)."
    )
    assert "from the API alone" in shown(audited())


def test_notes_stand_in_the_table_and_in_the_report() -> None:
    """What has no code is told all the same."""
    named = services(audited(), lambda service: replace(service, vips=(), hostnames=("lb.example.org",)))

    assert "WORTH KNOWING\n- Reached by a name" in shown(named)
    assert len(report(named).notes) == 1


def test_colours_are_those_of_the_verdicts() -> None:
    """Without them the text is the same."""
    coloured = shown(blackhole(), color=True)

    assert "\x1b[1;33mWARN\x1b[0m      shop/web" in coloured
    assert coloured.replace("\x1b[1;33m", "").replace("\x1b[0m", "") == shown(blackhole())


@pytest.mark.parametrize("make", [audited, no_policy, blackhole, on_the_wire])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_saved_audit_is_judged_the_same(make: object, form: str) -> None:
    """Byte for byte the same report, and so the same table, from the evidence in the file."""
    first = report(make())  # type: ignore[operator]
    saved = load(render(first, form).encode())
    again = conclude(
        saved.evidence, started=saved.started, duration_seconds=saved.duration_seconds, command=saved.command
    )

    assert render(again, "json") == render(first, "json")
    assert render(again, "wide", width=120) == render(first, "wide", width=120)


@pytest.mark.parametrize(
    ("make", "codes"),
    [
        (audited, (0, 0)),
        (no_policy, (0, 1)),
        (lambda: services(audited(), lambda s: replace(s, vips=())), (1, 1)),
        (on_the_wire, (0, 0)),
        (lambda: off_announcer(on_the_wire("v1.19.4"), Outcome.TIMEOUT), (1, 1)),
        (lambda: replace(on_the_wire(), vantage=replace(on_the_wire().vantage, on_link=False)), (2, 2)),
        (lambda: cluster(audited(), missing_rights=()), (0, 0)),
    ],
)
def test_the_exit_code_is_what_ci_asked_for(make: object, codes: tuple[int, int]) -> None:
    """--fail-on fail and warn; what the wire could not tell is 2, and what was never asked there is not."""
    made = report(make())  # type: ignore[operator]

    assert (failing(made, fail_on="fail"), failing(made, fail_on="warn")) == codes
    assert exit_code(made, strict=False) == codes[0]


def test_a_warning_beside_an_open_question_still_fails_those_who_asked_for_it() -> None:
    """UNKNOWN is worse than WARN in the report, and hides no warning from CI."""
    open_too = replace(
        on_the_wire(), trials=tuple(replace(t, replies=None, exchanges=()) for t in on_the_wire().trials)
    )
    made = report(cluster(without_claims(open_too), policies=()))

    assert made.verdict is Verdict.UNKNOWN
    assert (failing(made, fail_on="fail"), failing(made, fail_on="warn")) == (2, 1)


def test_many_open_questions_are_a_number() -> None:
    """Ten thousand lines tell nobody anything."""
    assert unfinished(iter("abcd"), 2) == ("a", "b", "2 more like these.")
    assert unfinished(iter("ab"), 2) == ("a", "b")


def test_junit_has_each_service_as_a_test_case() -> None:
    """A failure fails, a warning passes with its words, and what was not asked is skipped."""
    suite = ET.fromstring(junit(report(held_by(audited("v1.19.4"), "web", NODES[2]))))[0]
    cases = {case.get("name"): [child.tag for child in case] for case in suite if case.get("classname") == SERVICES}

    assert cases == {"shop/web": ["system-out"], "shop/api": ["skipped"]}


def test_html_and_markdown_show_every_service() -> None:
    """One line each, and the notes."""
    named = services(audited(), lambda service: replace(service, vips=(), hostnames=("lb.example.org",)))

    assert "<tr><td>unproven</td><td>shop/api</td><td>lb.example.org</td>" in html(report(named))
    assert "Reached by a name" in html(report(named))
    assert "| unproven | shop/api |" in markdown(report(audited()))
    assert "Reached by a name" in markdown(report(named))
    assert "Capability" not in markdown(report(audited()))


def test_one_cause_at_two_addresses_is_not_one_more() -> None:
    """The table counts other causes, not the addresses at which the first one was seen."""
    first = finding("C02", Verdict.WARN, says="", because=(), remedy="")

    assert said((first, first)) == "C02 several-nics-announce"
    assert said((first, first, replace(first, code="D12"))) == "C02 several-nics-announce and 1 more"
