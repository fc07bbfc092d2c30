"""Which node announces a Service: MetalLB's choice without an election, the same on every node. Pure.

speaker/layer2_controller.go of MetalLB 0.15: nobody without a serving endpoint; else the first of the eligible nodes
(with policy Local: those with a serving endpoint), sorted by sha256(node + "#" + first address).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from l2probe.lab.controllers.allocation import ingress_of
from l2probe.lab.controllers.metallb.allocation import AddressPool, pool_of
from l2probe.lab.controllers.objects import Obj, dig, labels_of, selects

EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a speaker knows about one Service: the Service, its slices, all advertisements, pools and nodes."""

    service: Obj
    slices: Sequence[Obj]
    advertisements: Sequence[Obj]
    pools: Sequence[AddressPool]
    nodes: Sequence[Obj]


def serving(slices: Iterable[Obj]) -> Iterator[Obj]:
    """Yield the endpoints that can serve, ready or terminating (internal/k8s/epslices)."""
    for part in slices:
        for endpoint in part.get("endpoints") or ():
            state = endpoint.get("conditions") or {}
            if state.get("serving", state.get("ready")) is not False:
                yield endpoint


def _advertises(advertisement: Obj, pool: AddressPool) -> bool:
    spec = advertisement.get("spec") or {}
    names, selectors = spec.get("ipAddressPools") or (), spec.get("ipAddressPoolSelectors") or ()
    if not names and not selectors:
        return True
    return pool.name in names or any(selects(selector, pool.labels) for selector in selectors)


def _reaches(advertisement: Obj, node: Obj) -> bool:
    selectors = dig(advertisement, "spec", "nodeSelectors") or ()
    return not selectors or any(selects(selector, labels_of(node)) for selector in selectors)


def _barred(node: Obj) -> bool:
    conditions = dig(node, "status", "conditions") or ()
    unavailable = any(found["type"] == "NetworkUnavailable" and found["status"] == "True" for found in conditions)
    return unavailable or EXCLUDED in labels_of(node)


def advertisements_of(view: View, node: Obj) -> list[Obj]:
    """Return the advertisements that let this node announce the Service's addresses."""
    pool = pool_of(view.pools, ingress_of(view.service))
    if pool is None:
        return []
    return [found for found in view.advertisements if _advertises(found, pool) and _reaches(found, node)]


def announcer(view: View) -> str | None:
    """Return the node that announces the Service, or None."""
    addresses, endpoints = ingress_of(view.service), list(serving(view.slices))
    if not addresses or not endpoints or view.service["spec"].get("type") != "LoadBalancer":
        return None
    eligible = [node["metadata"]["name"] for node in view.nodes if not _barred(node) and advertisements_of(view, node)]
    if view.service["spec"].get("externalTrafficPolicy") == "Local":
        there = {endpoint.get("nodeName") for endpoint in endpoints}
        eligible = [name for name in eligible if name in there]
    return min(eligible, key=lambda name: hashlib.sha256(f"{name}#{addresses[0]}".encode()).digest(), default=None)


def addresses_on(view: View, node: Obj, interfaces: Sequence[str]) -> frozenset[str]:
    """Return what the node answers for when it announces: nothing when the advertisements name none of its NICs."""
    wanted = [dig(found, "spec", "interfaces") or () for found in advertisements_of(view, node)]
    there = any(not names or set(names) & set(interfaces) for names in wanted)
    return frozenset(str(address) for address in ingress_of(view.service)) if there else frozenset()
