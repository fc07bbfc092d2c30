"""What looks like a fault and is none, or may be another: healthy designs, and causes that the evidence cannot tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.judge import judge
from l2probe.judge.devices import matches_one
from l2probe.model import (
    AnnouncementPolicy,
    Condition,
    Controller,
    Evidence,
    Finding,
    Ip,
    Mac,
    Outcome,
    Protocol,
    Requirement,
    Verdict,
)
from tests.judge import objects
from tests.judge.audited import audited
from tests.judge.diagnosed import API, ONE, WEB, all_end, diagnosed, each, unheard, with_trial
from tests.judge.evidence import FOREIGN, NODES, T0, claim, healthy, node_address, reply

HOME = tuple(node_address(name, 4) for name in NODES)


def codes(evidence: Evidence) -> set[str]:
    """Return all codes."""
    return {found.code for found in judge(evidence)}


def found(evidence: Evidence, code: str) -> Finding:
    """Return the finding of a code."""
    return next(one for one in judge(evidence) if one.code == code)


def plain_k3s(*ingress: tuple[Ip, ...]) -> Evidence:
    """k3s' ServiceLB alone gives both Services every node's address."""
    services = tuple(replace(one, vips=HOME, sharing_key="") for one in (API, replace(WEB, ports=())))
    servers = tuple(
        Controller(name="k3s ServiceLB", source="DaemonSet kube-system/svclb", service=f"shop/{one.name}")
        for one in services
    )
    seen = objects.in_cluster(diagnosed(), services=services, controllers=servers, pools=())
    trials = tuple(
        replace(one, service=service, ingress=ingress) for one, service in zip(seen.trials, services, strict=True)
    )
    return replace(seen, trials=trials)


def test_one_controller_that_gives_nodes_addresses_is_as_it_should_be() -> None:
    """Plain k3s: no pool, and all Services have all nodes' addresses, without a key that would ask for it."""
    for implementation in (None, "cilium"):
        assert not codes(objects.in_cluster(plain_k3s(), implementation=implementation)) & {"A05", "A06", "A08"}


@pytest.mark.parametrize("ingress", [(HOME, HOME[:2], HOME), (HOME, (), HOME), (HOME[:1], HOME[1:2])])
def test_an_address_that_goes_and_comes_has_one_writer(ingress: tuple[tuple[Ip, ...], ...]) -> None:
    """A node that is not Ready for a while takes its address along; with policy Local addresses follow the Pods."""
    assert not codes(plain_k3s(*ingress)) & {"A06", "A08"}


def test_answers_for_free_addresses_mean_nothing_where_services_were_not_read() -> None:
    """Whoever may not list Services cannot know which addresses are free."""
    assert "A05" not in codes(objects.in_cluster(objects.answering_already(), services=None))


@pytest.mark.parametrize("outcome", [Outcome.REFUSED_RST, Outcome.WRONG_ANSWER])
def test_a_router_that_knows_the_way_is_no_pool_off_link(outcome: Outcome) -> None:
    """Whatever is wrong behind the address, somebody there spoke."""
    sent = each(objects.astray(outcome), lambda one: replace(one, unsent=False), "api")

    assert "A07" not in codes(sent)


def test_who_answers_for_a_foreign_network_may_be_a_router() -> None:
    """Proxy ARP on the segment announces nothing: only a node's own MAC does."""
    seen = objects.astray()
    assert seen.off_link is not None
    proxy = replace(seen.off_link, replies=(reply(objects.OFF, FOREIGN, T0),))

    assert "A07" not in codes(replace(seen, off_link=proxy))


@pytest.mark.parametrize("pattern", ["^eth[[:digit:]]+$", "a{4294967296}", "(.*)*(.*)*(.*)*x", r"\pL+"])
def test_a_pattern_that_python_reads_otherwise_is_not_known(pattern: str) -> None:
    """Go has classes that Python takes for something else, and an engine that no pattern can stop."""
    assert matches_one(pattern, ("eth0",)) is None
    assert "B03" not in codes(objects.wrong_interface("eth0", pattern))


@pytest.mark.parametrize(
    "told", [("devices", "!eth1"), ("devices", "eth0"), ("devices", "eth+")], ids=["all-but-one", "detected", "any"]
)
def test_devices_that_agents_find_themselves_are_not_known(told: tuple[str, str]) -> None:
    """What is excluded, detected besides or a wildcard leaves open which devices a node has."""
    seen = objects.wrong_interface(None)
    more = (*seen.cluster.settings, told, ("force-device-detection", "true" if told[1] == "eth0" else "false"))

    assert "B03" not in codes(objects.in_cluster(seen, settings=more))
    assert "B07" in codes(objects.in_cluster(seen, settings=more))


def test_an_unknown_version_may_elect_without_backends() -> None:
    """Whether the lease follows the backends is the version's affair: without one B05 is not said."""
    unknown = objects.in_cluster(objects.homeless(), implementation_version=None)

    assert "B05" not in codes(unknown)
    assert {one.verdict for one in judge(unknown)} == {Verdict.FAIL}


def test_our_own_moves_are_no_throttling() -> None:
    """Policy Local follows the Pods that a run moves; of a cluster near its limit that is a prediction as ever."""
    run = healthy(version="v1.20.2", local=Outcome.ANSWERED)
    moved = tuple(replace(claim("smoke-local", NODES[step], T0 + step), transitions=step) for step in range(2))
    seen = replace(
        run,
        trials=tuple(replace(t, claims=moved) if t.name == "smoke-local" else t for t in run.trials),
        cluster=objects.crowded(200).cluster,
    )

    assert found(seen, "B08").verdict is Verdict.WARN


def test_kube_proxy_hides_the_client_from_policies() -> None:
    """With masquerading a policy sees a node, even where the Pod is; behind a router it sees who knows whom."""
    beside = all_end(diagnosed(), Outcome.TIMEOUT, "api")
    guarded = objects.guarded(objects.policy())
    metallb = objects.in_cluster(guarded, implementation="metallb", datapath=None, settings=())
    there = objects.of_api(
        metallb,
        backends=tuple(replace(b, node=ONE) for b in API.backends or ()),
        selector=(("app", "api"),),
        network_policies=(objects.policy(),),
    )
    on_it = with_trial(there, "api", lambda one: replace(one, target=(one.service.backends or ())[0]))
    routed = replace(guarded, vantage=replace(guarded.vantage, on_link=False, gateway=Ip("198.51.100.1")))
    unenforced = objects.in_cluster(guarded, settings=(("enable-policy", "never"),))

    assert "D03" in codes(beside)
    for seen in (metallb, on_it, routed, unenforced):
        assert "D13" not in codes(seen)


def test_a_silent_application_behind_a_router_is_no_firewall() -> None:
    """A GET that the user's own application ignores shows nothing of the way: the connect went through."""
    router = Mac("02:00:00:00:00:fe")
    seen = diagnosed()
    asked = with_trial(
        seen,
        "api",
        lambda one: replace(
            one,
            replies=None,
            exchanges=tuple(
                replace(e, sent_mac=router, payload_bytes=size, outcome=outcome)
                for e in one.exchanges or ()
                for size, outcome in ((0, Outcome.ANSWERED), (60, Outcome.TIMEOUT))
                if e.protocol is Protocol.TCP
            ),
        ),
    )
    behind = replace(asked, vantage=replace(asked.vantage, on_link=False, gateway=Ip("198.51.100.1")))

    assert found(behind, "D09").verdict is Verdict.WARN


def test_bgp_beside_l2_may_announce_what_no_policy_selects() -> None:
    """A prediction that nobody announces needs that nobody else could."""
    elsewhere = (Requirement(key="tier", operator="In", values=("edge",)),)
    policies = (AnnouncementPolicy(name="edge", load_balancer_ips=True, service_selector=elsewhere),)
    seen = objects.in_cluster(audited(), policies=policies)
    bare = replace(seen, trials=tuple(replace(one, claims=(), announcer=None) for one in seen.trials))
    both = objects.in_cluster(bare, settings=(*bare.cluster.settings, ("enable-bgp-control-plane", "true")))

    assert "B02" in codes(bare)
    assert not codes(both) & {"B01", "B02"}


def test_a_service_of_bgps_class_is_not_silent() -> None:
    """Nobody answers ARP for it by design; that this host cannot reach it stays open."""
    seen = objects.of_api(unheard(diagnosed()), load_balancer_class="io.cilium/bgp-control-plane")

    assert not any(one.subject.name == "api" and one.code[0] == "B" for one in judge(seen))


def test_node_ipam_needs_no_pool() -> None:
    """A pending Service of its class is served by Cilium, and by no pool."""
    said = Condition(type="x", status="True")
    seen = objects.of_api(diagnosed(), vips=(), load_balancer_class="io.cilium/node", conditions=(said,))
    pending = with_trial(seen, "api", lambda one: replace(one, replies=None, exchanges=None))

    assert "A04" not in codes(pending)
    assert "nodeIPAM" in found(objects.in_cluster(pending, pools=()), "A01").remedy


def test_a_fault_of_one_family_explains_nothing_of_the_other() -> None:
    """IPv6 that nobody answers for, and IPv4 that is dropped, are two faults."""
    seen = with_trial(
        all_end(diagnosed(), Outcome.TIMEOUT, "api"),
        "api",
        lambda one: replace(
            one,
            replies=tuple(r for r in one.replies or () if ":" not in r.ip),
            exchanges=tuple(
                replace(e, outcome=Outcome.NO_NEIGHBOUR, sent_mac=None) if ":" in e.vip else e
                for e in one.exchanges or ()
            ),
        ),
    )

    assert {one.code: one.consequence_of for one in judge(seen)} == {"B07": None, "D03": None}
