"""What bears on Services beside themselves: read and asked for only as far as it can help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.diagnose import Plan, diagnose
from l2probe.diagnose.subjects import Wish
from l2probe.diagnose.surroundings import MOST_POLICIES, MOST_SHARERS, READINGS, sharers
from l2probe.judge import judge
from l2probe.model import Ip, NetworkPolicy, Outcome, Right, Vantage
from tests.diagnose.played import World
from tests.diagnose.test_diagnose import ALL
from tests.judge.diagnosed import API, WEB
from tests.judge.evidence import NODES, cluster, node_address, vantage

ONE = Plan(wish=Wish(words=("shop/api",)))
SEGMENT = replace(vantage(), subnets=("198.51.100.0/24", "2001:db8:1::/64"))
OFF = Ip("203.0.113.40")


def test_those_at_the_same_address_are_read_too() -> None:
    """One Service was named: the other at its address comes with its claims, and the rest of the cluster does not."""
    other = replace(API, name="dns")
    world = World(services=(API, other, WEB), holders={"api": NODES[0], "dns": NODES[2], "web": NODES[1]})

    evidence = diagnose(ONE, world.edges())

    assert [one.service.name for one in evidence.sharers] == ["dns"]
    assert [claim.holder for one in evidence.sharers for claim in one.claims or ()][-1] == NODES[2]
    assert sharers(evidence.cluster, (API, other)) == ()


def test_addresses_are_read_again_and_kept_as_they_changed() -> None:
    """Two writers show as addresses that come and go; what does not change leaves no history."""
    home = (node_address(NODES[2], 4),)
    world = World(addresses=[{("shop", "api"): home}, {("shop", "api"): API.vips}])

    evidence = diagnose(ONE, world.edges())

    assert evidence.trials[0].ingress == (API.vips, home, API.vips)
    assert diagnose(ONE, World().edges()).trials[0].ingress == ()
    assert READINGS > 1


def test_many_services_are_read_once_again() -> None:
    """Of thousands the list is not fetched over and over."""
    many = tuple(replace(API, name=f"s{n}", vips=(Ip(f"198.51.100.{n + 40}"),)) for n in range(40))
    world = World(services=many, holders={service.name: NODES[0] for service in many})
    moved = {("shop", service.name): (OFF,) for service in many}
    world.addresses = [moved, moved, moved]

    evidence = diagnose(ALL, world.edges())

    assert len(world.addresses) == 2
    assert all(trial.ingress == (trial.service.vips, (OFF,)) for trial in evidence.trials)


def test_pool_addresses_are_asked_for_on_their_segment() -> None:
    """Only where the subnets are known; nobody answers for a free one here."""
    world = World(place=SEGMENT)

    evidence = diagnose(ONE, world.edges())

    assert evidence.pool_replies == ()
    assert ("broadcast", Ip("198.51.100.42")) in world.asked
    assert diagnose(ONE, World().edges()).pool_replies is None


@pytest.mark.parametrize("outcome", [Outcome.ANSWERED, Outcome.TIMEOUT, Outcome.NO_NEIGHBOUR])
def test_policies_are_read_only_of_what_was_lost(outcome: Outcome) -> None:
    """No right is used and no list fetched for a Service that works, or whose address is silent."""
    api = replace(API, selector=(("app", "api"),))
    world = World(services=(api,), outcome=outcome, policies=(NetworkPolicy(kind="x", namespace="shop", name="y"),))

    evidence = diagnose(ONE, world.edges())

    assert world.namespaces == (["shop"] if outcome is Outcome.TIMEOUT else [])
    assert (evidence.trials[0].service.network_policies is None) is (outcome is not Outcome.TIMEOUT)


def test_denied_policies_are_a_missing_right() -> None:
    """Not looked is None, and the right is named with what it would have shown."""
    right = Right(verb="list", resource="networkpolicies", group="networking.k8s.io")
    api = replace(API, selector=(("app", "api"),))
    world = World(services=(api,), outcome=Outcome.TIMEOUT, policies=None, policies_denied=(right,))

    evidence = diagnose(ONE, world.edges())

    assert right in evidence.cluster.missing_rights
    assert evidence.trials[0].service.network_policies is None
    assert any("D13" in line for found in judge(evidence) for line in found.because)


def test_an_address_of_another_network_is_asked_for_on_the_nodes_segment() -> None:
    """No interface of ours holds it; the nodes are near: whoever answers there is heard, and A07 says so."""
    api = replace(API, vips=(OFF,))
    nowhere = Vantage(interface=None, raw_socket=True)
    world = World(services=(api,), place=SEGMENT, places={OFF: nowhere})

    evidence = diagnose(ONE, world.edges())

    assert evidence.trials[0].replies is None
    assert evidence.off_link is not None
    assert {(reply.ip, reply.node) for reply in evidence.off_link.replies} == {(OFF, "node-1")}
    assert judge(evidence)[0].code == "A07"


def test_nothing_is_asked_where_the_nodes_are_far_too() -> None:
    """Behind a router no question is sent for what is not ours."""
    away = replace(SEGMENT, on_link=False, gateway=Ip("198.51.100.1"))
    world = World(place=away, places=dict.fromkeys((*API.vips, *WEB.vips), away))

    evidence = diagnose(ALL, world.edges())

    assert (evidence.off_link, evidence.pool_replies) == (None, None)


def test_ping_is_sent_only_when_asked_for() -> None:
    """By default nobody is pinged; with --ping the addresses are, and V07 reassures."""
    assert diagnose(ONE, World().edges()).pings is None

    evidence = diagnose(replace(ONE, ping=True), World().edges())

    assert [found.code for found in judge(evidence)] == ["V07"]


def test_more_policies_than_can_be_kept_are_not_known() -> None:
    """Part of them would refuse whom the others admit."""
    many = tuple(NetworkPolicy(kind="x", namespace="shop", name=str(number)) for number in range(MOST_POLICIES + 1))
    api = replace(API, selector=(("app", "api"),))

    evidence = diagnose(ONE, World(services=(api,), outcome=Outcome.TIMEOUT, policies=many).edges())

    assert evidence.trials[0].service.network_policies is None


def test_of_many_at_one_address_some_are_enough() -> None:
    """With k3s' ServiceLB every Service has every node's address."""
    many = tuple(replace(API, name=f"s{number}") for number in range(500))

    assert len(sharers(replace(cluster(), services=many), (API,))) == MOST_SHARERS
