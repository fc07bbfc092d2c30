"""A MAC that no node owns, at Services of the user's: whom it is called, and where that stays open."""

from __future__ import annotations

from dataclasses import replace

from l2probe.judge import conclude, judge
from l2probe.model import Evidence, Exchange, Finding, Outcome, Trial, Verdict
from tests.judge.diagnosed import API, ONE, THREE, TWO, all_end, diagnosed, each, lease, with_trial
from tests.judge.evidence import FOREIGN, T0, each_trial, mac, node_address, reply


def causes(evidence: Evidence) -> list[tuple[str, Verdict]]:
    """Return code and verdict of what no other finding explains."""
    return [(found.code, found.verdict) for found in judge(evidence) if found.consequence_of is None]


def only(evidence: Evidence, code: str) -> Finding:
    """Return the one finding of this code."""
    (found,) = (found for found in judge(evidence) if found.code == code)
    return found


def verdict(evidence: Evidence) -> Verdict:
    """Return the report's verdict."""
    return conclude(evidence, started="2026-11-23T20:00:00Z", duration_seconds=0.7, command="l2probe diagnose").verdict


def beside(evidence: Evidence, *names: str) -> Evidence:
    """Return the evidence in which a MAC that no node owns answers for these Services too, while their nodes do."""

    def shared(one: Trial) -> Trial:
        extra = (reply(vip, FOREIGN, T0 + 0.05 + 0.1 * number) for number in range(3) for vip in one.service.vips)
        return replace(one, replies=(*(one.replies or ()), *extra)) if one.name in names else one

    return each_trial(evidence, shared)


def through_stranger(one: Exchange, outcome: Outcome = Outcome.ANSWERED) -> Exchange:
    """Return a connect that went to the MAC that no node owns, and what came back from it."""
    back = None if outcome is Outcome.TIMEOUT else FOREIGN
    return replace(one, sent_mac=FOREIGN, reply_mac=back, outcome=outcome)


def test_a_foreign_machine_is_foreign_although_it_accepts_connections() -> None:
    """It answers beside node-1 and beside node-2, so it is no NIC of either alone: C03, however it serves."""
    stolen = each(beside(diagnosed(), "api", "web"), through_stranger)

    assert causes(stolen) == [("C03", Verdict.FAIL)]
    assert "different nodes" in only(stolen, "C03").says
    assert "second NIC" in only(stolen, "C03").remedy
    assert "V06" not in {found.code for found in judge(stolen)}


def test_a_second_nic_of_the_announcer_is_not_accused() -> None:
    """A MAC beside one node and never beside another may be that node's NIC: UNKNOWN, with what tells it apart."""
    for seen in (beside(diagnosed(), "api"), each(beside(diagnosed(), "api"), through_stranger, "api")):
        assert causes(seen) == [("V06", Verdict.UNKNOWN)]
        found = only(seen, "V06")
        assert "at the same time as node-1" in found.says
        assert "`ip link` on node-1" in found.remedy
        assert any("(node-1) answered" in line for line in found.because)
        assert "(C02)" in found.remedy
        assert "(C03)" in found.remedy
        assert verdict(seen) is Verdict.UNKNOWN


def test_a_mac_that_turns_away_what_the_node_serves_is_accused() -> None:
    """Refused by it over IPv4 and served by the node over IPv6: C03. Where it alone was asked, D11 says whom."""
    seen = beside(diagnosed(), "api")
    refused = each(
        seen,
        lambda one: one if ":" in one.vip else through_stranger(one, Outcome.REFUSED_RST),
        "api",
    )
    everything = each(seen, lambda one: through_stranger(one, Outcome.REFUSED_RST), "api")

    assert causes(refused)[0] == ("C03", Verdict.FAIL)
    assert "served nothing" in only(refused, "C03").says
    assert causes(everything) == [("D11", Verdict.FAIL), ("V06", Verdict.UNKNOWN)]
    assert FOREIGN in only(everything, "D11").remedy
    assert FOREIGN not in only(all_end(diagnosed(), Outcome.REFUSED_RST, "api"), "D11").remedy


def test_a_router_that_answers_for_nodes_too_is_not_accused() -> None:
    """Proxy ARP: what answered for the nodes' own addresses as well stands before them, and is not called foreign."""
    seen = beside(diagnosed(), "api", "web")
    own = tuple(reply(node_address(node, 4), FOREIGN, T0 + 0.01) for node in (ONE, TWO))
    proxied = replace(seen, node_replies=(*(seen.node_replies or ()), *own))

    assert causes(proxied) == [("V06", Verdict.UNKNOWN)]


def test_an_address_that_was_just_handed_over_tells_nothing() -> None:
    """The MAC overlaps with both nodes, and the time was too short to see who stopped: UNKNOWN."""
    late = tuple(reply(vip, mac(THREE), T0 + 0.24) for vip in API.vips)
    moved = with_trial(
        beside(diagnosed(), "api"),
        "api",
        lambda one: replace(
            one,
            replies=(*(one.replies or ()), *late),
            claims=(lease("api", ONE, T0), lease("api", THREE, T0 + 0.22)),
        ),
    )

    assert ("C03", Verdict.FAIL) not in causes(moved)
    assert "V06" in {one.code for one in judge(moved)}


def test_a_nic_that_left_with_its_node_is_not_beside_the_next_one() -> None:
    """A MAC that overlaps with the new announcer for a moment and then is silent was not at two nodes at once."""
    seen = beside(diagnosed(), "api")
    vips = API.vips
    moved = with_trial(
        seen,
        "api",
        lambda one: replace(
            one,
            replies=(
                *(one.replies or ()),
                *(reply(vip, mac(THREE), T0 + 0.24 + 0.3 * n) for vip in vips for n in range(4)),
            ),
            observed_seconds=2.0,
            claims=(lease("api", ONE, T0), lease("api", THREE, T0 + 0.24)),
        ),
    )

    assert ("C03", Verdict.FAIL) not in causes(moved)
    assert "V06" in {one.code for one in judge(moved)}


def test_a_stranger_alone_that_is_answered_through_is_not_accused() -> None:
    """Nobody else answered, and connections were accepted: whose MAC it is stays open (V06)."""
    extra = tuple(reply(vip, FOREIGN, T0 + 0.05 + 0.1 * number) for number in range(3) for vip in API.vips)
    alone = each(with_trial(diagnosed(), "api", lambda one: replace(one, replies=extra)), through_stranger, "api")

    assert causes(alone) == [("V06", Verdict.UNKNOWN)]
