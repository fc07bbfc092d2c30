"""What stands behind a Service: slices as the real controller writes them, and the frontends that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from l2probe.lab.controllers.behaviour import Behaviour
from l2probe.lab.controllers.endpoints import slices_of
from l2probe.lab.controllers.frontends import frontends
from l2probe.lab.driver import Forwarding, Frontend, NoBackend, Target
from l2probe.lab.profiles import PROFILES
from tests.lab.controllers.recorded import items, recorded

DSR = PROFILES["cilium-1.19-dsr"]


def service(**spec: object) -> dict[str, Any]:
    """Return default/web with one address of each family."""
    return {
        "metadata": {"namespace": "default", "name": "web", "uid": "s"},
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "web"},
            "ipFamilies": ["IPv4", "IPv6"],
            "ports": [{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"}],
            **spec,
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}]}},
    }


def pod(
    number: int,
    *,
    ready: bool = True,
    port: int = 8080,
    metadata: Mapping[str, object] | None = None,
    spec: Mapping[str, object] | None = None,
    **status: object,
) -> dict[str, Any]:
    """Return a Pod of default/web on node-<number>."""
    listed = {"name": "web", "containerPort": port, "protocol": "TCP"}
    own = {"namespace": "default", "name": f"web-{number}", "uid": f"u{number}", "labels": {"app": "web"}}
    return {
        "metadata": {**own, **(metadata or {})},
        "spec": {
            "nodeName": f"node-{number}",
            "containers": [{"name": "main", "ports": [listed]}],
            **(spec or {}),
        },
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "podIPs": [{"ip": f"10.0.0.{number}"}, {"ip": f"fd00::{number}"}],
            **status,
        },
    }


def of(family: str, slices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the endpoints of a family, all its slices together."""
    return [endpoint for found in slices if found["addressType"] == family for endpoint in found["endpoints"]]


def test_a_recorded_slice_comes_out_the_same() -> None:
    """From the recorded Service and Pod the recorded slice follows, field by field."""
    wanted = next(
        found for found in recorded("endpointslices")["items"] if found["metadata"]["name"].startswith("ok-cluster-")
    )
    (made,) = slices_of(
        recorded("service-ok-cluster"),
        [
            {
                **items("pods")["echo-n1"],
                "metadata": {
                    **items("pods")["echo-n1"]["metadata"],
                    "labels": {"app": "echo"},
                    "uid": wanted["endpoints"][0]["targetRef"]["uid"],
                },
            }
        ],
    )

    assert made == {key: wanted[key] for key in ("addressType", "ports", "endpoints")}


def test_each_family_has_its_slice() -> None:
    """Dual stack makes one slice for each family, with the Pod's address of that family, and a named port resolved."""
    made = slices_of(service(), [pod(1), pod(2)])

    assert [found["addressType"] for found in made] == ["IPv4", "IPv6"]
    assert [found["addresses"] for found in of("IPv6", made)] == [["fd00::1"], ["fd00::2"]]
    assert made[0]["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080}]
    assert [found["nodeName"] for found in of("IPv4", made)] == ["node-1", "node-2"]


@pytest.mark.parametrize(
    ("found", "conditions"),
    [
        (pod(1), {"ready": True, "serving": True, "terminating": False}),
        (pod(1, ready=False), {"ready": False, "serving": False, "terminating": False}),
        (pod(1, metadata={"deletionTimestamp": "t"}), {"ready": False, "serving": True, "terminating": True}),
    ],
)
def test_conditions_of_an_endpoint(found: dict[str, Any], conditions: dict[str, bool]) -> None:
    """Ready, serving and terminating say different things."""
    assert of("IPv4", slices_of(service(), [found]))[0]["conditions"] == conditions


@pytest.mark.parametrize(
    "found",
    [
        pod(1, phase="Succeeded"),
        pod(1, spec={"nodeName": None}),
        pod(1, metadata={"labels": {"app": "other"}}),
        pod(1, metadata={"namespace": "elsewhere"}),
        pod(1, podIPs=[]),
    ],
)
def test_who_is_no_endpoint(found: dict[str, Any]) -> None:
    """Pods that are over, unplaced, unselected, of another namespace or without address leave an empty slice."""
    assert slices_of(service(), [found]) == [
        {"addressType": "IPv4", "ports": [], "endpoints": []},
        {"addressType": "IPv6", "ports": [], "endpoints": []},
    ]


def test_named_ports_that_differ_make_two_slices() -> None:
    """Pods that resolve a named port differently are in different slices of one family."""
    made = [found for found in slices_of(service(), [pod(1), pod(2, port=9090)]) if found["addressType"] == "IPv4"]

    assert [[port["port"] for port in found["ports"]] for found in made] == [[8080], [9090]]


def test_no_selector_no_slices_of_ours() -> None:
    """A Service without a selector gets its slices from someone else."""
    assert slices_of(service(selector=None), [pod(1)]) == []


def stored(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return slices as the API holds them."""
    label = {"kubernetes.io/service-name": "web"}
    return [
        {"metadata": {"namespace": "default", "name": str(n), "labels": label}, **found} for n, found in enumerate(made)
    ]


def test_frontends_say_all_that_the_datapath_needs() -> None:
    """Each address and port is a frontend with the targets of its family; policy and ranges go along."""
    made = service(externalTrafficPolicy="Local", loadBalancerSourceRanges=["198.51.100.0/24"])
    first, second = frontends([made], stored(slices_of(made, [pod(1), pod(2)])), DSR)

    assert first == Frontend(
        vip="192.0.2.1",
        port=80,
        protocol="TCP",
        targets=(
            Target(address="10.0.0.1", port=8080, node="node-1"),
            Target(address="10.0.0.2", port=8080, node="node-2"),
        ),
        forwarding=Forwarding.DSR,
        no_backend=NoBackend.REJECT,
        local_only=True,
        source_ranges=("198.51.100.0/24",),
    )
    assert [target.address for target in second.targets] == ["fd00::1", "fd00::2"]


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([pod(1), pod(2, ready=False)], ["10.0.0.1"]),
        ([pod(1), pod(2, metadata={"deletionTimestamp": "t"})], ["10.0.0.1"]),
        ([pod(2, metadata={"deletionTimestamp": "t"})], ["10.0.0.2"]),
        ([pod(2, ready=False)], []),
    ],
)
def test_terminating_backends_serve_only_when_no_other_does(pods: list[dict[str, Any]], expected: list[str]) -> None:
    """Traffic goes to ready backends; to serving ones that terminate only when none is ready."""
    made = service()
    found = frontends([made], stored(slices_of(made, pods)), DSR)

    assert [target.address for target in found[0].targets] == expected


def test_a_datapath_that_ignores_its_mode_translates() -> None:
    """With `dsr` False every frontend uses SNAT whatever the profile says."""
    found = frontends([service()], [], DSR, Behaviour(dsr=False))

    assert {front.forwarding for front in found} == {Forwarding.SNAT}


def test_no_address_no_frontend() -> None:
    """A Service without address is unknown to the datapath."""
    made = {**service(), "status": {"loadBalancer": {}}}

    assert frontends([made], stored(slices_of(made, [pod(1)])), DSR) == ()
