"""What an implementation of a given version can do. Claims about code, never about the wire."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from l2probe.model import Cluster, Service

CILIUM = "cilium"
METALLB = "metallb"
KUBE_VIP = "kube-vip"

FOLLOWS_LOCAL = (1, 20, 2)
"""First Cilium whose lease follows policy Local (cilium/cilium#46399, backport #48550)."""
ANNOUNCES_IPV6 = (1, 18, 0)
"""No Cilium before this announces IPv6 (cilium/cilium#39648; the manual of 1.17 says "does not support IPv6/NDP")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """How an implementation calls its things.

    `serves`: its load balancer classes, empty where the user chooses them.
    """

    title: str
    pool: str
    policy: str
    claim: str
    serves: tuple[str, ...]


NAMES = {
    CILIUM: Names(
        title="Cilium",
        pool="CiliumLoadBalancerIPPool",
        policy="CiliumL2AnnouncementPolicy",
        claim="lease",
        serves=("io.cilium/l2-announcer", "io.cilium/bgp-control-plane", "io.cilium/node"),
    ),
    METALLB: Names(title="MetalLB", pool="IPAddressPool", policy="L2Advertisement", claim="ServiceL2Status", serves=()),
    KUBE_VIP: Names(
        title="kube-vip",
        pool="address pool",
        policy="announcement setting",
        claim="lease",
        serves=("kube-vip.io/kube-vip-class",),
    ),
}
UNKNOWN = Names(title="The load balancer", pool="address pool", policy="announcement policy", claim="claim", serves=())


def names(cluster: Cluster) -> Names:
    """Return the words of the cluster's implementation."""
    return NAMES.get(cluster.implementation or "", UNKNOWN)


def version(cluster: Cluster) -> tuple[int, ...] | None:
    """Return the implementation's version as numbers, from "v1.19.4" or "1.20.0-pre.4"; None when it is not known."""
    return _numbers(cluster.implementation_version or "")


@lru_cache(16)
def _numbers(text: str) -> tuple[int, ...] | None:
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else None


def is_cilium_before(cluster: Cluster, limit: tuple[int, ...]) -> bool:
    """Whether this is a Cilium known to be older than the limit."""
    known = version(cluster)
    return cluster.implementation == CILIUM and known is not None and known < limit


def setting(cluster: Cluster, key: str) -> str | None:
    """One setting of the implementation, or None."""
    return dict(cluster.settings).get(key)


NODE_IPAM = "io.cilium/node"
"""Cilium's class for Services that shall have the nodes' own addresses."""


def wants_node_addresses(cluster: Cluster, service: Service) -> bool:
    """Whether the Service is meant to have the nodes' own addresses (Cilium's Node IPAM)."""
    if service.load_balancer_class is not None:
        return service.load_balancer_class == NODE_IPAM
    return setting(cluster, "default-lb-service-ipam") == "nodeipam"
