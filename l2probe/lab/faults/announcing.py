"""Family B: nobody answers for an address that somebody should announce. One row for each fault."""

from __future__ import annotations

from l2probe.lab.faults.fault import (
    BOTH,
    CILIUM,
    METALLB,
    METALLB_PROFILE,
    WITH_KUBE_PROXY,
    WITH_LEASES,
    WITH_POLICY,
    Fault,
)

ANNOUNCING = (
    Fault(
        name="no-advertisement",
        raises="B01",
        about="no L2Advertisement exists",
        shown_by=(*BOTH, "audit"),
        profile=METALLB_PROFILE,
        worlds=METALLB,
    ),
    Fault(
        name="advertisement-node-selector",
        raises="B02",
        about="the L2Advertisement's node selector matches no node",
        shown_by=(*BOTH, "audit"),
        profile=METALLB_PROFILE,
        worlds=METALLB,
    ),
    Fault(
        name="no-endpoint",
        raises="B13",
        about="the selectors of the shop's Services match no Pod, and MetalLB announces nothing without an endpoint",
        shown_by=("diagnose", "audit --on-wire"),
        profile=METALLB_PROFILE,
        worlds=WITH_KUBE_PROXY,
    ),
    Fault(
        name="no-policy",
        raises="B01",
        about="no CiliumL2AnnouncementPolicy exists",
        shown_by=(*BOTH, "audit"),
        worlds=WITH_POLICY,
    ),
    Fault(
        name="policy-service-selector",
        raises="B02",
        about="the announcement policy wants a label that no Service has",
        shown_by=(*BOTH, "audit"),
        worlds=CILIUM,
    ),
    Fault(
        name="policy-node-selector",
        raises="B02",
        about="the announcement policy wants a label that no node has",
        shown_by=(*BOTH, "audit"),
        worlds=CILIUM,
    ),
    Fault(
        name="policy-no-addresses",
        raises="B02",
        about="the announcement policy says neither loadBalancerIPs nor externalIPs, which are false by default",
        shown_by=(*BOTH, "audit"),
        worlds=CILIUM,
    ),
    Fault(
        name="announcements-off",
        raises="B04",
        about="the agents run with enable-l2-announcements=false",
        shown_by=(*BOTH, "audit"),
        worlds=CILIUM,
    ),
    Fault(
        name="kube-proxy-replacement-off",
        raises="B04",
        about="the agents run with kube-proxy-replacement=false, so they announce nothing",
        shown_by=(*BOTH, "audit"),
        worlds=CILIUM,
    ),
    Fault(
        name="stale-lease",
        raises="B06",
        about="the holder's agent died: leases were not renewed for ten minutes, nobody took over, nobody answers",
        shown_by=(*BOTH, "audit"),
        worlds=WITH_LEASES,
    ),
    Fault(
        name="silent-leader",
        raises="B07",
        about="every lease is held and renewed, and no node answers ARP or NDP for the addresses",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="multicast-unanswered",
        raises="B11",
        about="the announcer answers unicast neighbour solicitations for IPv6 addresses, and no multicast one",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="broadcast-unanswered",
        raises="B12",
        about="the announcer answers unicast who-has for IPv4 addresses, and no broadcast one",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="wrong-interface",
        raises="B03",
        about="the policy announces on interfaces ^enp.*, and the nodes' device is eth0: leases are held in silence",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="gateway-local",
        raises="B05",
        about="a Cilium Gateway's Service has policy Local and an endpoint without a node: nobody may announce it",
        shown_by=("diagnose", "audit", "audit --on-wire"),
        profile="cilium-1.20.2-dsr",
    ),
)
