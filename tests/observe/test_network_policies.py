"""Whom policies admit from outside the cluster; what cannot be read accuses nobody."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from l2probe.model import Admission, Requirement
from l2probe.observe.network_policies import (
    CILIUM,
    CLUSTERWIDE,
    EVERYBODY,
    CiliumPolicyObject,
    NetworkPolicyObject,
    cilium,
    kubernetes,
)

META = {"name": "api", "namespace": "shop"}
SOME = "198.51.100.0/24"


def admits(**spec: Any) -> tuple[Admission, ...] | None:  # noqa: ANN401 - JSON
    """Return whom a NetworkPolicy admits; None when it restricts nothing that comes in."""
    item = msgspec.convert({"metadata": META, "spec": {"podSelector": {}, **spec}}, NetworkPolicyObject)
    found = kubernetes(item)
    return found[0].admits if found else None


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, ()),
        ({"ingress": []}, ()),
        ({"ingress": [{}]}, EVERYBODY),
        ({"ingress": [{"from": []}]}, EVERYBODY),
        ({"ingress": [{"ports": [{"port": 80}]}]}, EVERYBODY),
        ({"ingress": [{"from": [{"podSelector": {}}]}]}, ()),
        ({"ingress": [{"from": [{"namespaceSelector": {}}]}]}, ()),
        ({"ingress": [{"from": [{"ipBlock": {"cidr": SOME}}]}]}, (Admission(network=SOME),)),
        (
            {"ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": [SOME]}}]}]},
            (Admission(network="0.0.0.0/0", without=(SOME,)),),
        ),
        ({"policyTypes": ["Egress"]}, None),
        ({"policyTypes": ["Ingress", "Egress"]}, ()),
    ],
)
def test_a_network_policy_admits(spec: dict[str, Any], expected: tuple[Admission, ...] | None) -> None:
    """Selectors mean Pods; an empty rule, or one without `from`, means everybody; egress alone restricts nothing."""
    assert admits(**spec) == expected


def of_cilium(spec: dict[str, Any] | None, specs: list[dict[str, Any]] | None = None) -> list[tuple[Any, Any]]:
    """Return whom each spec of a CiliumNetworkPolicy admits and denies."""
    item = msgspec.convert({"metadata": META, "spec": spec, "specs": specs}, CiliumPolicyObject)
    return [(policy.admits, policy.denies) for policy in cilium(CILIUM, item)]


def rule(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a spec with these ingress rules."""
    return {"endpointSelector": {}, "ingress": list(rules), **more}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (rule({"fromEntities": ["cluster", "host", "remote-node"]}), ()),
        (rule({"fromEntities": ["world"]}), EVERYBODY),
        (rule({"fromEntities": ["all"]}), EVERYBODY),
        (rule({"fromEntities": ["world-ipv4"]}), EVERYBODY[:1]),
        (rule({"fromEndpoints": [{}]}), ()),
        (rule({}), EVERYBODY),
        (rule({"toPorts": [{"ports": [{"port": "80"}]}]}), EVERYBODY),
        (rule({"fromCIDR": [SOME]}), (Admission(network=SOME),)),
        (rule({"fromCIDRSet": [{"cidr": SOME, "except": ["198.51.100.7/32"]}]}), None),
        (rule({"fromCIDRSet": [{"cidrGroupRef": "office"}]}), EVERYBODY),
        (rule({"fromGroups": [{"aws": {}}]}), EVERYBODY),
    ],
)
def test_a_cilium_policy_admits(spec: dict[str, Any], expected: tuple[Admission, ...] | None) -> None:
    """`world` is who comes from outside; groups that we cannot look into may be anybody."""
    wanted = (Admission(network=SOME, without=("198.51.100.7/32",)),) if expected is None else expected

    assert of_cilium(spec) == [(wanted, ())]


def test_denials_are_kept_apart() -> None:
    """A policy that only denies admits the rest; a group in a denial denies nobody that we know."""
    denial = {"endpointSelector": {}, "ingressDeny": [{"fromCIDR": [SOME]}]}
    unread: dict[str, Any] = {"endpointSelector": {}, "ingressDeny": [{"fromGroups": [{"aws": {}}]}]}

    assert of_cilium(denial) == [(EVERYBODY, (Admission(network=SOME),))]
    assert of_cilium(unread) == [(EVERYBODY, ())]


def test_what_restricts_nothing_is_no_policy() -> None:
    """Egress rules, and policies for nodes, say nothing of Pods; each of several specs counts."""
    assert of_cilium({"endpointSelector": {}, "egress": []}) == []
    assert of_cilium({"nodeSelector": {}, "ingress": []}) == []
    assert len(of_cilium(rule({}), [rule({}), {"endpointSelector": {}}])) == 2


def test_label_keys_lose_their_source() -> None:
    """`k8s:app` in Cilium's selectors is the label app; a cluster-wide policy has no namespace."""
    spec = rule({}, endpointSelector={"matchLabels": {"k8s:app": "api"}})
    item = msgspec.convert({"metadata": META, "spec": spec}, CiliumPolicyObject)

    (found,) = cilium(CLUSTERWIDE, item)

    assert found.namespace == ""
    assert found.selector == (Requirement(key="app", operator="In", values=("api",)),)


def test_a_policy_without_default_deny_restricts_nobody() -> None:
    """enableDefaultDeny.ingress false adds what its rules admit and takes nothing away; an empty list has no rules."""
    rules: list[dict[str, Any]] = [{"fromEntities": ["cluster"]}]

    opened = of_cilium(rule(*rules, enableDefaultDeny={"ingress": False}))
    closed = of_cilium(rule(*rules, enableDefaultDeny={"egress": False}))

    assert opened[0][0] == EVERYBODY
    assert closed[0][0] == ()
    assert of_cilium({"endpointSelector": {}, "ingress": []}) == []
