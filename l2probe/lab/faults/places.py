"""Family V: the place from which one looks, which shows less than it seems. One row for each fault."""

from __future__ import annotations

from l2probe.lab.faults.fault import BOTH, CILIUM, QUIET, Fault

PLACES = (
    Fault(
        name="on-a-cluster-node",
        raises="V01",
        about="commands run on node-1",
        shown_by=(*BOTH, "audit --on-wire"),
        verdict="unknown",
    ),
    Fault(
        name="behind-a-router",
        raises="V02",
        about="commands run on a machine of another segment, behind a router",
        shown_by=(*BOTH, "audit --on-wire"),
        profile=QUIET,
        verdict="unknown",
    ),
    Fault(
        name="no-raw-socket",
        raises="V03",
        about="commands run without CAP_NET_RAW",
        shown_by=(*BOTH, "audit --on-wire"),
        profile=QUIET,
        verdict="unknown",
    ),
    Fault(
        name="deaf-interface",
        raises="V04",
        about="the client's port passes no ARP and no NDP, as with port isolation",
        shown_by=(*BOTH, "audit --on-wire"),
        verdict="unknown",
    ),
    Fault(
        name="not-allowed",
        raises="V05",
        about="the user of the kubeconfig may not list or watch leases; see also denied:VERB:RESOURCE",
        shown_by=(*BOTH, "audit"),
        profile=QUIET,
        verdict="warn",
    ),
    Fault(
        name="announcer-unmapped",
        raises="V06",
        about="the nodes answer for addresses on a second NIC that answers for none of the nodes' own",
        shown_by=(*BOTH, "audit --on-wire"),
        profile=QUIET,
        verdict="unknown",
        worlds=CILIUM,
    ),
)
