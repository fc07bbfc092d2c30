"""D07 and D09: answers that nobody translated back, and answers that do not pass the router that was asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.judge import judge
from l2probe.judge.paths import asymmetric_path, reply_not_translated
from l2probe.model import Evidence, Exchange, Ip, Mac, Outcome, Protocol, Trial, Verdict
from tests.judge.diagnosed import API, diagnosed, each
from tests.judge.evidence import NODES, PROFILES, each_exchange, healthy, lost, mac, node_address

ONE, TWO, THREE = NODES
ROUTER, VIRTUAL = Mac("02:00:00:00:00:fe"), Mac("00:00:5e:00:01:01")
GATEWAY = Ip("198.51.100.254")
PORT = 8080


def across(trial: Trial, one: Exchange) -> bool:
    """Whether TCP went in through node-1 while its backend was on another node, under policy Cluster."""
    return one.protocol is Protocol.TCP and one.sent_mac == mac(ONE) and one.node not in {None, ONE} and trial.own


def untranslated(*, lost_too: bool = True, from_: Ip | None = None) -> Evidence:
    """Return a cluster in which what follows the SYN-ACK comes from the backend's node and its target port."""

    def change(trial: Trial, one: Exchange) -> Exchange:
        if not across(trial, one) or one.node is None:
            return replace(one, strays=())
        source = from_ or node_address(one.node, 6 if ":" in one.vip else 4)
        return replace(lost(one) if lost_too else one, strays=((source, PORT),))

    return each_exchange(healthy(), change)


def test_the_sources_are_named_with_their_owner() -> None:
    """D07 says from which address and port, whose it is and how often; that traffic across nodes is lost follows."""
    (found,) = reply_not_translated(untranslated())
    codes = [(one.code, one.consequence_of) for one in judge(untranslated()) if one.code != "D01"]

    assert found.verdict is Verdict.FAIL
    assert "node-2's own address" in found.says
    assert any(f"From 198.51.100.12 port {PORT} (node-2's own address)" in line for line in found.because)
    assert codes == [("D07", None), ("D04", "D07")]


def test_it_is_a_warning_when_everything_was_answered_all_the_same() -> None:
    """Packets of nowhere that cost nothing are worth a word."""
    (found,) = reply_not_translated(untranslated(lost_too=False))

    assert found.verdict is Verdict.WARN


def test_a_pods_address_is_named_too() -> None:
    """The Pod's own address is known from the EndpointSlices."""
    (found,) = reply_not_translated(untranslated(from_=Ip("10.244.2.10")))

    assert "a backend's own address" in found.says


def test_the_remedy_names_who_translates() -> None:
    """Cilium's masquerading where its datapath is known; else kube-proxy's connection tracking."""
    seen = untranslated()
    beside = replace(seen, cluster=replace(seen.cluster, implementation="metallb", datapath=None))
    (ciliums,), (others,) = list(reply_not_translated(seen)), list(reply_not_translated(beside))

    assert ciliums.remedy.startswith("Check Cilium's masquerading")
    assert others.remedy.startswith("Check connection tracking")
    assert "conntrack.tcpBeLiberal" in others.remedy


def once() -> Evidence:
    """Return evidence in which it was seen in one exchange."""
    left = [1]

    def change(_: Trial, one: Exchange) -> Exchange:
        seen = bool(left and left.pop())
        return replace(one, strays=((node_address(TWO, 4), PORT),) if seen else ())

    return each_exchange(healthy(), change)


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(untranslated(from_=Ip("203.0.113.7")), id="an address of nobody's in the cluster"),
        pytest.param(once(), id="one exchange"),
        pytest.param(each_exchange(healthy(), lambda _, one: replace(one, strays=None)), id="not looked"),
    ],
)
def test_what_may_be_something_else_is_not_accused(evidence: Evidence) -> None:
    """D07 needs two exchanges and an address of the cluster."""
    assert list(reply_not_translated(evidence)) == []


def test_connects_to_a_users_service_must_mostly_show_it() -> None:
    """A connect shows no loss: when most of them bring strays it is a failure, when few do a warning."""
    count = [0]

    def some(one: Exchange) -> Exchange:
        count[0] += 1
        return replace(one, strays=((node_address(THREE, 4), PORT),) if count[0] % 4 == 0 else ())

    all_ = each(diagnosed(), lambda one: replace(one, strays=((node_address(THREE, 4), PORT),)), API.name)

    assert [one.verdict for one in reply_not_translated(all_)] == [Verdict.FAIL]
    assert [one.verdict for one in reply_not_translated(each(diagnosed(), some, API.name))] == [Verdict.WARN]


def routed(evidence: Evidence, *, by: Mac = ROUTER) -> Evidence:
    """Return the evidence of a host whose frames to the VIPs go to a router."""
    away = replace(evidence, vantage=replace(evidence.vantage, gateway=GATEWAY))
    return each_exchange(away, lambda _, one: replace(one, sent_mac=by))


def firewalled() -> Evidence:
    """Every TCP exchange ended after the SYN-ACK that came straight from a node."""

    def cut(_: Trial, one: Exchange) -> Exchange:
        if one.protocol is not Protocol.TCP or one.outcome is not Outcome.ANSWERED:
            return one
        return replace(lost(one), reply_mac=one.reply_mac, detail="connected, but no answer came")

    return each_exchange(routed(healthy()), cut)


def test_a_stateful_firewall_in_between_is_named_first() -> None:
    """D09 says both ways and that no TCP exchange was finished; that the announcer seems to drop is a consequence."""
    (found,) = asymmetric_path(firewalled())
    marked = {one.code: one.consequence_of for one in judge(firewalled())}

    assert found.verdict is Verdict.FAIL
    assert f"went through {GATEWAY}" in found.says
    assert "straight from node-1 and node-2" in found.says
    assert any(ROUTER in line for line in found.because)
    assert marked["D09"] is None
    assert marked["D03"] == "D09"


def test_without_a_stateful_firewall_it_is_a_warning() -> None:
    """Both ways work; one TCP exchange that brought its payload through shows that nothing drops it."""
    assert {one.verdict for one in asymmetric_path(routed(healthy()))} == {Verdict.WARN}


def back_through(evidence: Evidence, by: Mac) -> Evidence:
    """Return the evidence in which answers came from this MAC."""
    return each_exchange(evidence, lambda _, one: replace(one, reply_mac=by if one.reply_mac else None))


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(healthy(), id="on the segment: DSR answers from another node"),
        pytest.param(back_through(routed(healthy()), ROUTER), id="back through the same router"),
        pytest.param(back_through(routed(healthy(), by=VIRTUAL), ROUTER), id="a router with a virtual MAC (VRRP)"),
        pytest.param(routed(healthy(), by=mac(ONE)), id="a node is the router"),
        pytest.param(replace(routed(healthy()), node_replies=()), id="whose MAC answers is not known"),
        pytest.param(
            each_exchange(healthy(), lambda _, one: replace(one, sent_mac=VIRTUAL)), id="an unknown MAC, but no gateway"
        ),
    ],
)
def test_one_way_or_an_unknown_one_is_not_accused(evidence: Evidence) -> None:
    """D09 needs a gateway, a MAC that no node owns and nobody announced with, and an answer from a node's own MAC."""
    assert list(asymmetric_path(evidence)) == []


def test_an_announcer_with_an_unknown_mac_is_no_router() -> None:
    """A second NIC that answers ARP for the VIP takes the frames itself."""
    evidence = routed(healthy())
    announced = replace(
        evidence,
        trials=tuple(
            replace(one, replies=tuple(replace(frame, mac=ROUTER) for frame in one.replies or ()))
            for one in evidence.trials
        ),
    )

    assert list(asymmetric_path(announced)) == []


@pytest.mark.parametrize("name", PROFILES)
def test_healthy_clusters_raise_nothing_of_it(name: str) -> None:
    """DSR and SNAT of every healthy profile are in order."""
    looked = each_exchange(PROFILES[name], lambda _, one: replace(one, strays=()))

    assert [list(rule(looked)) for rule in (reply_not_translated, asymmetric_path)] == [[], []]
