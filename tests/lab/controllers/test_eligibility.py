"""Which nodes may announce: policies, class, selectors, interfaces, families, and what a version makes of Local."""

from __future__ import annotations

from typing import Any

import pytest

from l2probe.lab.controllers.eligibility import View, addresses, candidates
from l2probe.lab.profiles import PROFILES, Profile

OLD, NEW, V4 = PROFILES["cilium-1.19-dsr"], PROFILES["cilium-1.20.2-dsr"], PROFILES["cilium-1.17-dsr"]
NODES = tuple({"metadata": {"name": f"node-{n}", "labels": {"zone": "ab"[n % 2]}}} for n in (1, 2, 3))


def policy(**spec: object) -> dict[str, Any]:
    """Return a policy that announces ingress addresses, unless told otherwise."""
    return {"spec": {"loadBalancerIPs": True, **spec}}


def service(**spec: object) -> dict[str, Any]:
    """Return shop/web with one address of each family."""
    ingress = [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}]
    return {
        "metadata": {"namespace": "shop", "name": "web", "labels": {"tier": "front"}},
        "spec": {"type": "LoadBalancer", **spec},
        "status": {"loadBalancer": {"ingress": ingress}},
    }


def backend(node: str | None, *, ready: bool = True) -> dict[str, Any]:
    """Return a slice with one endpoint."""
    return {"endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": ready}, "nodeName": node}]}


def view(policies: tuple[dict[str, Any], ...], *slices: dict[str, Any], **spec: object) -> View:
    """Return what an agent knows."""
    return View(service=service(**spec), slices=slices, policies=policies, nodes=NODES)


@pytest.mark.parametrize(
    ("policies", "spec", "expected"),
    [
        ((policy(),), {}, {1, 2, 3}),
        ((), {}, set()),
        ((policy(loadBalancerIPs=False),), {}, set()),
        ((policy(externalIPs=True, loadBalancerIPs=False),), {"externalIPs": ["192.0.2.9"]}, {1, 2, 3}),
        ((policy(serviceSelector={"matchLabels": {"tier": "front"}}),), {}, {1, 2, 3}),
        ((policy(serviceSelector={"matchLabels": {"tier": "back"}}),), {}, set()),
        ((policy(serviceSelector={"matchLabels": {"io.kubernetes.service.namespace": "shop"}}),), {}, {1, 2, 3}),
        ((policy(nodeSelector={"matchLabels": {"zone": "b"}}),), {}, {1, 3}),
        (
            (policy(nodeSelector={"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["b"]}]}),),
            {},
            {2},
        ),
        (
            (policy(nodeSelector={"matchLabels": {"zone": "b"}}), policy(nodeSelector={"matchLabels": {"zone": "a"}})),
            {},
            {1, 2, 3},
        ),
        ((policy(),), {"loadBalancerClass": "io.cilium/l2-announcer"}, {1, 2, 3}),
        ((policy(),), {"loadBalancerClass": "example.com/none"}, set()),
    ],
)
def test_policies_decide_who_may_hold(
    policies: tuple[dict[str, Any], ...], spec: dict[str, Any], expected: set[int]
) -> None:
    """A node is a candidate when one policy selects both it and the Service and announces one of its addresses."""
    assert set(candidates(view(policies, **spec), OLD)) == {f"node-{number}" for number in expected}


@pytest.mark.parametrize(
    ("profile", "traffic", "slices", "expected"),
    [
        (OLD, "Local", (backend("node-2"),), {1, 2, 3}),
        (NEW, "Local", (backend("node-2"),), {2}),
        (NEW, "Local", (backend("node-2"), backend("node-3")), {2, 3}),
        (NEW, "Local", (backend("node-2", ready=False),), set()),
        (NEW, "Local", (backend(None),), set()),
        (NEW, "Cluster", (), {1, 2, 3}),
    ],
)
def test_only_1_20_2_follows_local_backends(
    profile: Profile, traffic: str, slices: tuple[dict[str, Any], ...], expected: set[int]
) -> None:
    """Before 1.20.2 endpoints are not looked at; from then on policy Local needs a ready backend on the node."""
    found = candidates(view((policy(),), *slices, externalTrafficPolicy=traffic), profile)

    assert set(found) == {f"node-{number}" for number in expected}


def test_the_order_is_the_same_each_time_and_differs_by_seed() -> None:
    """A lab plays the same twice, whatever the order in which nodes are known."""
    shuffled = View(service=service(), slices=(), policies=(policy(),), nodes=NODES[::-1])
    other = [
        candidates(view((policy(),)), Profile(name="x", about="", version="1.19.4", mode=OLD.mode, seed=str(n)))
        for n in range(20)
    ]

    assert candidates(view((policy(),)), OLD) == candidates(shuffled, OLD)
    assert len({tuple(order) for order in other}) > 1


@pytest.mark.parametrize(
    ("profile", "spec", "expected"),
    [
        (OLD, {}, {"192.0.2.1", "2001:db8::1"}),
        (V4, {}, {"192.0.2.1"}),
        (OLD, {"interfaces": ["^eth[0-9]+"]}, {"192.0.2.1", "2001:db8::1"}),
        (OLD, {"interfaces": ["^bond", "0$"]}, {"192.0.2.1", "2001:db8::1"}),
        (OLD, {"interfaces": ["^bond"]}, set()),
        (OLD, {"interfaces": ["("]}, set()),
        (OLD, {"interfaces": []}, set()),
    ],
)
def test_what_a_holder_answers_for(profile: Profile, spec: dict[str, Any], expected: set[str]) -> None:
    """The holder answers for the version's families, on interfaces that a pattern finds; without patterns on all."""
    known = view((policy(**spec),))

    assert addresses(known, NODES[0], ("eth0",), profile) == expected
    assert candidates(known, profile), "the lease is held even where no interface matches"
