"""Family C: the wrong machine answers for an address, or several do. One row for each fault."""

from __future__ import annotations

from l2probe.lab.faults.fault import (
    BOTH,
    CILIUM,
    KUBE_VIP,
    KUBE_VIP_PROFILE,
    METALLB_PROFILE,
    QUIET,
    WITH_KUBE_PROXY,
    WITH_LEASES,
    WITH_POLICY,
    Fault,
)

OWNERS = (
    Fault(
        name="stale-vip",
        raises="C01",
        about="every address was left on the NIC of a second node beside the lease holder's",
        shown_by=(*BOTH, "audit --on-wire"),
        profile=KUBE_VIP_PROFILE,
        worlds=KUBE_VIP,
    ),
    Fault(
        name="ipvs-without-strict-arp",
        raises="C06",
        about="kube-proxy runs in IPVS mode without strictARP: every node has every address and answers",
        shown_by=(*BOTH, "audit --on-wire"),
        profile=METALLB_PROFILE,
        worlds=WITH_KUBE_PROXY,
    ),
    Fault(
        name="duplicate-announcers",
        raises="C01",
        about="a second node answers for every address beside the lease holder",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="several-nics",
        raises="C02",
        about="every node has a second NIC on the segment, and the policy's interfaces match both",
        shown_by=(*BOTH, "audit --on-wire"),
        profile=QUIET,
        verdict="warn",
        worlds=WITH_POLICY,
    ),
    Fault(
        name="foreign-owner",
        raises="C03",
        about="a host outside the cluster owns every announced address too, and answers",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="holder-mismatch",
        raises="C04",
        about="another node than the lease holder answers for every address",
        shown_by=(*BOTH, "audit --on-wire"),
        worlds=CILIUM,
    ),
    Fault(
        name="holder-gone",
        raises="C05",
        about="every lease names a node that was taken out of the cluster, and nobody takes over",
        shown_by=(*BOTH, "audit"),
        worlds=WITH_LEASES,
    ),
    Fault(
        name="shared-address",
        raises="C07",
        about="two Services share one address, and a different node won each one's election: both answer for it",
        shown_by=("diagnose", "audit --on-wire"),
    ),
)
