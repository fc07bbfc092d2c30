"""MetalLB's allocator and its choice of the announcer decide as the recorded v0.15.2 did, by its rules beyond that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from l2probe.lab.controllers.metallb.allocation import Grant, Refusal, allocate, read_pools
from l2probe.lab.controllers.metallb.controller import counters
from l2probe.lab.controllers.metallb.election import EXCLUDED, View, addresses_on, announcer
from l2probe.lab.controllers.objects import Key, Obj, key_of
from tests.lab.controllers.recorded import items

FIXTURES = "metallb"
SERVICES = items(f"{FIXTURES}/services")
POOLS = read_pools(items(f"{FIXTURES}/ipaddresspools").values())
STATUSES = [found["status"] for found in items(f"{FIXTURES}/servicel2statuses").values()]
ANNOUNCED = {status["serviceName"]: status["node"] for status in STATUSES}
EVENTS = items(f"{FIXTURES}/events-core-v1").values()
REFUSED = {
    event["involvedObject"]["name"]: event["message"].partition(": ")[2]
    for event in EVENTS
    if event["reason"] == "AllocationFailed"
}


def held(service: Obj) -> list[str]:
    """Return the recorded addresses of a Service."""
    return [entry["ip"] for entry in service["status"]["loadBalancer"].get("ingress") or ()]


def view(service: str, *, slices: Iterable[Obj] | None = None) -> View:
    """Return what a recorded speaker saw of a Service."""
    all_slices = items(f"{FIXTURES}/endpointslices").values()
    mine = [part for part in all_slices if part["metadata"]["labels"]["kubernetes.io/service-name"] == service]
    return View(
        service=SERVICES[service],
        slices=tuple(mine if slices is None else slices),
        advertisements=tuple(items(f"{FIXTURES}/l2advertisements").values()),
        pools=POOLS,
        nodes=tuple(items(f"{FIXTURES}/nodes").values()),
    )


@pytest.mark.parametrize("name", SERVICES)
def test_a_settled_cluster_is_left_as_recorded(name: str) -> None:
    """Every recorded Service keeps its address, or is refused in the words of the recorded Event."""
    answer = allocate(POOLS, SERVICES.values()).get(Key("l2fix", name))

    if name in REFUSED:
        assert answer == Refusal(REFUSED[name])
    elif name == "other-class":
        assert answer is None
    else:
        assert isinstance(answer, Grant)
        assert [str(address) for address in answer.addresses] == held(SERVICES[name])
        assert answer.pool == SERVICES[name]["metadata"]["annotations"]["metallb.io/ip-allocated-from-pool"]


@pytest.mark.parametrize("name", SERVICES)
def test_the_announcer_is_the_recorded_one(name: str) -> None:
    """Of three real nodes the same one is chosen; nobody without an endpoint, or from a pool that is not advertised."""
    assert announcer(view(name)) == ANNOUNCED.get(name)


def test_pools_count_as_recorded() -> None:
    """Status counters of all three pools agree with what is given."""
    grants = [answer for answer in allocate(POOLS, SERVICES.values()).values() if isinstance(answer, Grant)]

    for pool in POOLS:
        assert counters(pool, grants) == items(f"{FIXTURES}/ipaddresspools")[pool.name]["status"]


@pytest.mark.parametrize(("services", "pools"), [("pool-full-services", "pool-full-ipaddresspools")])
def test_a_full_pool_refuses_the_second(services: str, pools: str) -> None:
    """A pool of one address serves the Service that has it; the other is told that none is available."""
    found = items(f"{FIXTURES}/{services}")
    answers = allocate(read_pools(items(f"{FIXTURES}/{pools}").values()), found.values())

    for name, service in found.items():
        answer = answers[key_of(service)]
        assert isinstance(answer, Grant) == bool(held(service)), name
    assert Refusal("no available IPs") in answers.values()


def test_without_pools_every_address_goes() -> None:
    """All pools deleted: nobody keeps an address."""
    answers = allocate((), SERVICES.values())

    assert not [answer for answer in answers.values() if isinstance(answer, Grant)]


def service(name: str, **spec: object) -> Obj:
    """Return a new Service."""
    metadata = {"name": name, "namespace": "l2fix", "annotations": spec.pop("annotations", {})}
    ports = [{"port": 80, "protocol": "TCP"}]
    return {"metadata": metadata, "spec": {"type": "LoadBalancer", "ports": ports, "ipFamilies": ["IPv4"], **spec}}


def pool(*addresses: str, **spec: object) -> Obj:
    """Return an IPAddressPool."""
    return {"metadata": {"name": str(spec.pop("name", "lan"))}, "spec": {"addresses": list(addresses), **spec}}


def given(pools: list[Obj], *services: Obj) -> list[list[str]]:
    """Return the addresses of each Service."""
    answers = allocate(read_pools(pools), services).values()
    return [[str(address) for address in answer.addresses] if isinstance(answer, Grant) else [] for answer in answers]


BOTH = {"ipFamilies": ["IPv4", "IPv6"]}


@pytest.mark.parametrize(
    ("pools", "spec", "addresses"),
    [
        ([pool("192.0.2.0/30", avoidBuggyIPs=True)], {}, ["192.0.2.1"]),
        ([pool("192.0.2.0/30")], {}, ["192.0.2.0"]),
        ([pool("192.0.2.8/32", autoAssign=False)], {}, []),
        ([pool("192.0.2.8/32", "2001:db8::8/128")], {**BOTH, "ipFamilyPolicy": "RequireDualStack"}, None),
        ([pool("192.0.2.8/32")], {**BOTH, "ipFamilyPolicy": "RequireDualStack"}, []),
        ([pool("192.0.2.8/32")], {**BOTH, "ipFamilyPolicy": "PreferDualStack"}, ["192.0.2.8"]),
        (
            [
                pool("192.0.2.8/32", name="a"),
                pool("192.0.2.9/32", name="b", serviceAllocation={"priority": 10, "namespaces": ["l2fix"]}),
            ],
            {},
            ["192.0.2.9"],
        ),
        ([pool("rubbish", "192.0.2.8-192.0.2.9")], {}, ["192.0.2.8"]),
    ],
)
def test_rules_beyond_the_recording(pools: list[Obj], spec: dict[str, Any], addresses: list[str] | None) -> None:
    """Lowest free address; buggy ones avoided; both families from one pool; a lower priority number goes first."""
    expected = ["192.0.2.8", "2001:db8::8"] if addresses is None else addresses

    assert given(pools, service("new", **spec)) == [expected]


def on_node(name: str, **conditions: bool) -> Obj:
    """Return an EndpointSlice with one endpoint."""
    return {"endpoints": [{"addresses": ["10.244.2.9"], "nodeName": name, "conditions": conditions}]}


@pytest.mark.parametrize(
    ("service", "slices", "chosen"),
    [
        ("ok-local", [on_node("rc-n3", ready=True, serving=True)], "rc-n3"),
        ("ok-local", [on_node("rc-n3", ready=False, serving=True, terminating=True)], "rc-n3"),
        ("ok-local", [on_node("rc-n3", ready=False, serving=False)], None),
        ("ok-local", [on_node("rc-n9", ready=True, serving=True)], None),
        ("ok-cluster", [on_node("rc-n3", ready=True, serving=True)], "rc-n2"),
        ("ok-cluster", [], None),
    ],
)
def test_local_follows_the_endpoints_and_cluster_needs_one(service: str, slices: list[Obj], chosen: str | None) -> None:
    """With policy Local only nodes with a serving endpoint are candidates; without any endpoint nobody is."""
    assert announcer(view(service, slices=slices)) == chosen


def test_an_excluded_node_is_no_candidate() -> None:
    """The label node.kubernetes.io/exclude-from-external-load-balancers counts, on all nodes too."""
    nodes = [dict(node) for node in items(f"{FIXTURES}/nodes").values()]
    for node in nodes:
        labels = {**node["metadata"]["labels"], **({EXCLUDED: ""} if node["metadata"]["name"] == "rc-n2" else {})}
        node["metadata"] = {**node["metadata"], "labels": labels}

    assert announcer(replace(view("ok-cluster"), nodes=nodes)) in {"rc-n1", "rc-n3"}
    for node in nodes:
        node["metadata"]["labels"][EXCLUDED] = ""
    assert announcer(replace(view("ok-cluster"), nodes=nodes)) is None


@pytest.mark.parametrize(
    ("spec", "announced"),
    [
        ({}, True),
        ({"ipAddressPools": ["lan"], "interfaces": ["eth0", "eth1"]}, True),
        ({"ipAddressPools": ["lan"], "interfaces": ["bond0"]}, False),
    ],
)
def test_interfaces_of_the_advertisement_bind(spec: dict[str, Any], *, announced: bool) -> None:
    """A node that has none of the named interfaces is chosen, and announces nothing."""
    advertisement = {"metadata": {"name": "lan"}, "spec": spec}
    seen = replace(view("ok-cluster"), advertisements=[advertisement])
    where = next(node for node in seen.nodes if node["metadata"]["name"] == announcer(seen))

    assert announcer(seen) == "rc-n2"
    assert addresses_on(seen, where, ("eth0",)) == (
        frozenset(held(SERVICES["ok-cluster"])) if announced else frozenset()
    )
