"""Which nodes may announce a Service, and which of its addresses: policies, class, backends, families. Pure.

Rules: pkg/l2announcer of Cilium (research: sections 1.4 and 1.5); https://docs.cilium.io/en/stable/network/l2-announcements/
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from l2probe.lab.controllers.allocation import L2_CLASS, special_labels
from l2probe.lab.controllers.frontends import usable
from l2probe.lab.controllers.objects import Obj, key_of, labels_of, selects
from l2probe.lab.profiles import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What an agent knows about one Service: the Service, its slices, all policies, all nodes."""

    service: Obj
    slices: Sequence[Obj]
    policies: Sequence[Obj]
    nodes: Sequence[Obj]


def _announced_by(policy: Obj, service: Obj) -> set[str]:
    spec = policy.get("spec") or {}
    found: set[str] = set()
    if spec.get("loadBalancerIPs"):
        ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        found |= {entry["ip"] for entry in ingress if entry.get("ip")}
    if spec.get("externalIPs"):
        found |= set(service["spec"].get("externalIPs") or ())
    return found


def _policies(view: View, node: Obj) -> list[Obj]:
    """Return the policies that let this node announce the Service."""
    service = view.service
    if service["spec"].get("loadBalancerClass") not in (None, "", L2_CLASS):
        return []
    labels = {**labels_of(service), **special_labels(key_of(service))}
    return [
        policy
        for policy in view.policies
        if selects(policy["spec"].get("serviceSelector"), labels)
        and selects(policy["spec"].get("nodeSelector"), labels_of(node))
        and _announced_by(policy, service)
    ]


def has_local_backend(slices: Iterable[Obj], node: str) -> bool:
    """Say whether a usable endpoint names this node; synthetic endpoints name none."""
    return any(found.get("nodeName") == node for part in slices for found in usable(part.get("endpoints") or ()))


def may_hold(view: View, node: Obj, profile: Profile) -> bool:
    """Say whether the node may hold the Service's lease."""
    if profile.follows_local and view.service["spec"].get("externalTrafficPolicy") == "Local":
        return bool(_policies(view, node)) and has_local_backend(view.slices, node["metadata"]["name"])
    return bool(_policies(view, node))


def _matches(policy: Obj, interfaces: Sequence[str]) -> bool:
    patterns = policy["spec"].get("interfaces")
    if patterns is None:
        return True
    return any(_found(pattern, device) for pattern in patterns for device in interfaces)


def _found(pattern: str, device: str) -> bool:
    try:
        return re.search(pattern, device) is not None
    except re.error:
        return False


def addresses(view: View, node: Obj, interfaces: Sequence[str], profile: Profile) -> frozenset[str]:
    """Return the addresses that the node answers for when it holds the lease.

    A policy whose interface patterns match none of the node's devices lets the node hold the lease, but not answer.
    """
    texts = {
        text
        for policy in _policies(view, node)
        if _matches(policy, interfaces)
        for text in _announced_by(policy, view.service)
    }
    return frozenset(text for text in texts if ipaddress.ip_address(text).version in profile.families)


def candidates(view: View, profile: Profile) -> list[str]:
    """Return the nodes that may hold the lease, in the order in which this lab lets them win a free one.

    Real agents race; a lab must play the same twice, so the order is a hash of its seed, the Service and the node.
    """
    name = view.service["metadata"]["name"]

    def rank(node: str) -> bytes:
        return hashlib.blake2b(f"{profile.seed}/{name}/{node}".encode(), digest_size=8).digest()

    return sorted((node["metadata"]["name"] for node in view.nodes if may_hold(view, node, profile)), key=rank)
