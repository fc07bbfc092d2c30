"""Addresses that are announced by BGP: nobody answers ARP or NDP for them, and need not.

Who announces by BGP tells routers, not the segment (https://metallb.io/concepts/bgp/,
https://docs.cilium.io/en/stable/network/bgp-control-plane/).
"""

from __future__ import annotations

from l2probe.judge.case import Case
from l2probe.judge.selection import selects, unmet_terms
from l2probe.judge.versions import CILIUM, METALLB, setting
from l2probe.judge.words import listing
from l2probe.model import Cluster

BGP_CLASS = "io.cilium/bgp-control-plane"
"""Services of this class are announced by BGP; nobody answers ARP for them (Cilium LB IPAM documentation)."""


def routed(case: Case) -> str:
    """Return what announces the Service by BGP, or may, in words; "" where somebody must answer on the segment.

    An L2 policy that selects it wins: then both announce it.
    """
    cluster = case.evidence.cluster
    if case.service.load_balancer_class == BGP_CLASS:
        return f'its class "{BGP_CLASS}" has it announced by BGP'
    if (covering := advertised(case)) and not is_selected(case):
        return f"BGPAdvertisement {listing(covering)} covers it, and no L2Advertisement does"
    if is_bgp_on(cluster) and (cluster.announcing is False or (cluster.policies is not None and not is_selected(case))):
        return "Cilium's BGP is on and may announce it, which was not looked at, and no L2 announcement is meant to"
    return ""


def advertised(case: Case) -> tuple[str, ...]:
    """Return the names of the BGPAdvertisements that cover the Service: by its pool and labels, on whatever node."""
    cluster = case.evidence.cluster
    return tuple(dict.fromkeys(each.name for each in cluster.bgp or () if selects(each, case.service, cluster)))


def is_selected(case: Case) -> bool:
    """Whether an L2 policy announces the Service from a Ready node, as far as policies were read."""
    cluster = case.evidence.cluster
    return any(not unmet_terms(policy, case.service, cluster) for policy in cluster.policies or ())


def is_bgp_on(cluster: Cluster) -> bool:
    """Whether Cilium announces by BGP too: then what no L2 policy selects may be announced all the same."""
    return cluster.implementation == CILIUM and setting(cluster, "enable-bgp-control-plane") == "true"


def announced_by_bgp(cluster: Cluster) -> bool:
    """Whether BGP is on and L2 announcements are not: then their absence says nothing."""
    return is_bgp_on(cluster) and cluster.announcing is False


def is_unread(cluster: Cluster) -> bool:
    """Whether a BGPAdvertisement of MetalLB's could announce what no L2Advertisement does, and none was read."""
    return cluster.implementation == METALLB and cluster.bgp is None


def besides(cluster: Cluster) -> str:
    """Return what was looked at, or was not, and would announce without any of MetalLB's L2 objects, in words."""
    if cluster.implementation != METALLB:
        return ""
    if cluster.bgp is None:
        return "Whether a BGPAdvertisement announces it was not read (`l2probe rbac` prints the right to)."
    return "No BGPAdvertisement covers it either."
