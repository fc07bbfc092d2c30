"""The flow of `audit` in a played cluster: what is read, what is asked, and what is handed on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.audit import Plan
from l2probe.audit.looking import CONTESTED_ROUNDS, MOST_ATTEMPTS
from l2probe.audit.selector import parse
from l2probe.errors import NotAllowedError, UsageError
from l2probe.judge import judge
from l2probe.judge.notes import notes
from l2probe.model import Condition, Flow, Ip, Mac, Outcome, Port, Protocol, Vantage
from tests.audit.played import Town
from tests.judge.diagnosed import API, WEB, lease
from tests.judge.evidence import CLIENT, NODES, VIP4, VIP6, mac, vantage

WIRE = Plan(on_wire=True)
OTHER = Mac("02:00:00:00:00:99")


def test_the_api_alone_asks_nobody() -> None:
    """No interface, no question, no connect, and nothing that was not looked at pretends to be."""
    town = Town()

    evidence = town.audited(Plan())

    assert (town.sweeps, town.knocked, town.opened) == ([], [], [])
    assert evidence.command == "audit"
    assert evidence.vantage == Vantage(interface=None, addresses=CLIENT)
    assert [(trial.replies, trial.exchanges) for trial in evidence.trials] == [(None, None)] * 2
    assert [trial.announcer for trial in evidence.trials] == [NODES[0], NODES[1]]
    assert evidence.flows == ()
    assert judge(evidence) == ()


def test_the_api_alone_knows_what_the_nodes_segment_must_not_give_away() -> None:
    """The routers of a segment that this host shares with the nodes are known without a question; others' are not."""
    router = Ip("198.51.100.41")
    here = replace(vantage(), routers=(router,), cluster_node=NODES[0])

    (found,) = judge(Town(services=(API,), place=here).audited(Plan()))

    assert (found.code, "198.51.100.41 (this segment's gateway)" in found.because[0]) == ("A05", True)
    assert judge(Town(services=(API,), place=replace(here, on_link=False)).audited(Plan())) == ()


def test_the_wire_is_asked_for_everything_at_once() -> None:
    """Nodes, addresses and free ones in one sweep, the addresses once more, and a connect to each port."""
    town = Town()

    evidence = town.audited(WIRE)

    first, second = town.sweeps
    assert {VIP4, VIP6} < set(first)
    assert set(second) == {*API.vips, *WEB.vips}
    assert len(town.knocked) == MOST_ATTEMPTS * 4
    assert evidence.flows == (Flow.TCP4, Flow.TCP6)
    assert evidence.pool_replies == ()
    assert {trial.announcer for trial in evidence.trials} == {NODES[0], NODES[1]}
    assert judge(evidence) == ()


def test_a_free_address_that_answers_is_handed_on() -> None:
    """What a pool could hand out and somebody has already."""
    here = replace(vantage(), subnets=("198.51.100.0/24",))

    evidence = Town(place=here, squatters={Ip("198.51.100.55"): OTHER}).audited(WIRE)

    assert [(reply.ip, reply.mac) for reply in evidence.pool_replies or ()] == [("198.51.100.55", OTHER)]


def test_a_second_owner_that_is_slow_is_heard() -> None:
    """The second sweep waits, and what several answered for is asked for several times more."""
    town = Town(slow={VIP4: mac(NODES[2])})

    found = judge(town.audited(WIRE))

    assert [sweep for sweep in town.sweeps if sweep == (VIP4,)] == [(VIP4,)] * CONTESTED_ROUNDS
    assert [one.code for one in found if one.consequence_of is None] == ["C01"]


def test_silent_addresses_are_asked_twice_and_never_knocked_at() -> None:
    """A dead address costs two questions: no connect waits for it."""
    town = Town(silent=True)

    evidence = town.audited(WIRE)

    assert (len(town.sweeps), town.knocked) == (2, [])
    assert {found.code for found in judge(evidence)} == {"B07"}


def test_what_hears_no_broadcast_is_asked_alone() -> None:
    """A silent leader and a NIC that drops broadcasts look the same until the node is asked alone."""
    evidence = Town(unicast_only=True).audited(WIRE)

    assert {found.code for found in judge(evidence) if found.consequence_of is None} == {"B12"}


def test_many_ports_get_one_connect_each_and_the_failing_ones_more() -> None:
    """Polite where there are many: only what did not answer is tried again."""
    ports = tuple(Port(protocol=Protocol.TCP, port=number) for number in range(1, 601))
    town = Town(services=(replace(API, vips=(VIP4,), ports=ports),), outcome=Outcome.TIMEOUT)
    quiet = Town(services=town.services)

    town.audited(WIRE)
    quiet.audited(WIRE)

    assert len(quiet.knocked) == 600
    assert len(town.knocked) == 600 + 2 * 512


def test_what_is_refused_at_first_is_asked_again() -> None:
    """A Service that is only being programmed is accused of nothing; one that goes on refusing is."""
    starting = Town(outcome=Outcome.REFUSED_RST, served=1000.9)
    refusing = Town(outcome=Outcome.REFUSED_RST)

    assert judge(starting.audited(WIRE)) == ()
    assert {found.code for found in judge(refusing.audited(WIRE))} == {"D11"}


def test_without_a_raw_socket_traffic_is_tried_all_the_same() -> None:
    """Nobody is asked, and the ports are knocked at."""
    town = Town(place=replace(vantage(), raw_socket=False))

    evidence = town.audited(WIRE)

    assert (town.sweeps, town.opened) == ([], [])
    assert all(trial.exchanges for trial in evidence.trials)
    assert {found.code for found in judge(evidence)} == {"V03"}


def test_on_a_cluster_node_nothing_is_sent() -> None:
    """A node rewrites connections before they reach the wire."""
    town = Town(place=replace(vantage(), cluster_node=NODES[0]))

    evidence = town.audited(WIRE)

    assert (town.sweeps, town.knocked) == ([], [])
    assert [found.code for found in judge(evidence)] == ["V01"]


def test_a_namespace_and_a_selector_choose() -> None:
    """Only what both mean."""
    labelled = replace(API, labels=(("app", "api"), ("tier", "front")))
    town = Town(services=(labelled, WEB, replace(labelled, namespace="bank")))

    evidence = town.audited(Plan(namespace="shop", selector=parse("tier in (front, back),!legacy")))

    assert [(t.service.namespace, t.service.name) for t in evidence.trials] == [("shop", "api")]


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (Plan(namespace="bank"), "has no Service of type LoadBalancer in namespace bank."),
        (Plan(selector=parse("a=b")), "has no Service of type LoadBalancer that the selector matches."),
    ],
)
def test_nothing_to_audit_is_said(plan: Plan, said: str) -> None:
    """In one sentence, with what there is instead."""
    with pytest.raises(UsageError, match=said) as refused:
        Town().audited(plan)

    assert refused.value.hint == "It has 2 of them in all."


def test_services_that_may_not_be_listed_end_it() -> None:
    """Without them there is nothing to audit: the right is named, and what still works."""
    with pytest.raises(NotAllowedError, match="list services"):
        Town(services=None).audited(Plan())


def test_rights_in_one_namespace_are_enough_for_it() -> None:
    """Its Services are audited on the wire; whatever only all Services would show is neither asked nor claimed."""
    bank = replace(API, namespace="bank", name="till", vips=(Ip("198.51.100.55"),))
    holders = {"api": NODES[0], "web": NODES[1], "till": NODES[2]}
    here = replace(vantage(), subnets=("198.51.100.0/24",))
    stray = lease("gone", NODES[0], 1000.0)
    town = Town(services=(API, WEB, bank), holders=holders, tenant="shop", place=here, strays=(stray,))

    evidence = town.audited(replace(WIRE, namespace="shop"))

    assert [trial.service.name for trial in evidence.trials] == ["api", "web"]
    assert {trial.announcer for trial in evidence.trials} == {NODES[0], NODES[1]}
    assert judge(evidence) == ()
    assert (evidence.cluster.services, evidence.cluster.within, evidence.cluster.stray_claims) == (None, "shop", None)
    assert bank.vips[0] not in {address for sweep in town.sweeps for address in sweep}
    (note,) = notes(evidence)
    assert note.startswith("Only namespace shop was looked at")
    assert all(code in note for code in ("A08", "C07", "A05"))


def test_who_shares_an_address_within_the_namespace_is_still_seen() -> None:
    """What the namespace alone shows is shown, whatever the selector left out."""
    labelled, other = replace(API, labels=(("app", "api"),)), replace(API, name="dns")
    holders = {"api": NODES[0], "dns": NODES[2], "web": NODES[1]}
    town = Town(services=(labelled, other, WEB), holders=holders, tenant="shop")

    evidence = town.audited(Plan(namespace="shop", selector=parse("app=api")))

    assert [sharer.service.name for sharer in evidence.sharers] == ["dns"]
    assert "C07" in {found.code for found in judge(evidence)}


def test_a_namespace_that_may_not_be_listed_either_ends_it() -> None:
    """The error names that namespace, and the command that prints what is needed there."""
    with pytest.raises(NotAllowedError, match="list services in namespace bank") as refused:
        Town(tenant="shop").audited(Plan(namespace="bank"))

    assert "l2probe rbac --for audit --namespace bank" in refused.value.hint
    with pytest.raises(NotAllowedError, match="all namespaces") as refused:
        Town(tenant="shop").audited(Plan())
    assert "(-n)" in refused.value.hint


def test_claims_that_may_not_be_read_cost_what_they_would_have_shown() -> None:
    """V05 and no other finding."""
    evidence = Town(claims_denied=True).audited(Plan())

    (found,) = judge(evidence)
    assert found.code == "V05"
    assert "which node should announce" in found.because[0]
    assert {trial.claims for trial in evidence.trials} == {None}


def test_a_pending_service_says_why_by_its_warning() -> None:
    """MetalLB sets no condition; one list of events serves all Services."""
    warning = Condition(type="Event", status="Warning", reason="AllocationFailed", message="no IPs")
    pending = replace(API, vips=())
    evidence = Town(services=(pending, WEB), warnings={("shop", "api"): warning}).audited(Plan())

    (found,) = judge(evidence)
    assert found.code == "A01"
    assert "AllocationFailed" in found.because[0]


def test_claims_are_read_again_when_the_wire_was_asked() -> None:
    """A renewal seen is worth more than any clock."""
    town = Town()
    assert {len(trial.claims or ()) for trial in town.audited(Plan()).trials} == {1}

    town.silent, town.clock = True, 1001.0  # the next renewal is a second away
    assert all(len(trial.claims or ()) > 1 for trial in town.audited(WIRE).trials)


def test_what_an_audit_sees_of_an_announcer_that_flaps() -> None:
    """As F01's page says: one look shows nothing, few Services are watched, of many only two looks are compared."""
    many = tuple(replace(API, name=f"api-{number}", vips=(Ip(f"198.51.100.{number}"),)) for number in range(100, 170))
    town = Town(restless=True)
    crowd = Town(restless=True, services=many, holders=dict.fromkeys((one.name for one in many), NODES[0]))

    assert judge(town.audited(Plan())) == ()
    assert "F01" in {found.code for found in judge(town.audited(WIRE))}
    assert {len(trial.claims or ()) for trial in crowd.audited(WIRE).trials} == {2}


def test_what_else_bears_on_the_services_is_read() -> None:
    """Who shares their addresses, with whose claims; and how the addresses changed while the wire was asked."""
    other = replace(API, name="dns", labels=(("app", "dns"),))
    holders = {"api": NODES[0], "dns": NODES[2], "web": NODES[1]}
    labelled = replace(API, labels=(("app", "api"),))
    town = Town(services=(labelled, other, WEB), holders=holders)
    only = parse("app=api")

    evidence = town.audited(Plan(selector=only))
    (shared,) = evidence.sharers

    assert (shared.service.name, [claim.holder for claim in shared.claims or ()]) == ("dns", [NODES[2]])
    assert "C07" in {found.code for found in judge(evidence)}

    town.addresses = [{("shop", "api"): (VIP4,)}, {("shop", "api"): API.vips}]
    assert town.audited(Plan(selector=only, on_wire=True)).trials[0].ingress == (API.vips, (VIP4,), API.vips)


def test_an_address_of_another_network_is_asked_for_on_the_nodes_segment() -> None:
    """Whoever answers there is heard (A07); the silence of an address that nobody would ask for accuses nobody."""
    off, place = Ip("203.0.113.40"), replace(vantage(), subnets=("198.51.100.0/24", "2001:db8:1::/64"))
    away = {off: Vantage(interface=None, raw_socket=True)}
    both = replace(API, vips=(off, VIP6))

    found = judge(Town(services=(both,), place=place, places=away).audited(WIRE))
    alone = judge(Town(services=(replace(both, vips=(off,)),), place=place, places=away).audited(WIRE))

    assert [[one.code for one in some if one.consequence_of is None] for some in (found, alone)] == [["A07"]] * 2


def test_leases_of_nobody_are_handed_on() -> None:
    """They are about Services that do not exist, whatever part of the others was asked for."""
    stray = lease("gone", NODES[0], 1000.0)

    assert Town(strays=(stray,)).audited(Plan(namespace="shop")).cluster.stray_claims == (stray,)


def test_a_service_without_ports_and_addresses_is_no_accident() -> None:
    """Objects may lack anything: the Service is shown, nothing is asked for it."""
    bare = replace(API, name="bare", vips=(), ports=(), backends=None, labels=())
    town = Town(services=(bare,), place=Vantage(interface=None, raw_socket=True, addresses=CLIENT))

    evidence = town.audited(WIRE)

    assert [found.code for found in judge(evidence)][:1] == ["A01"]
    assert town.sweeps == []
