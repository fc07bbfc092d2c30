"""Family E: the backend does not see the client's address. One row for each fault."""

from __future__ import annotations

from l2probe.lab.faults.fault import CILIUM, QUIET, Fault

CLIENTS = (
    Fault(
        name="masquerade-all",
        raises="E01",
        about="the datapath translates source addresses for backends on the announcer too",
        profile="cilium-1.20.2-snat",
        verdict="warn",
        worlds=CILIUM,
    ),
    Fault(
        name="snat",
        raises="E02",
        about="the agents run with bpf-lb-mode=snat: clients are seen only by backends on the announcer",
        profile=QUIET,
        verdict="warn",
        worlds=CILIUM,
    ),
    Fault(
        name="dsr-not-effective",
        raises="E03",
        about="the configuration says DSR, and the datapath translates source addresses",
        worlds=CILIUM,
    ),
    Fault(
        name="hybrid",
        raises="E04",
        about="the agents run with bpf-lb-mode=hybrid: TCP keeps the client address, UDP loses it",
        profile=QUIET,
        verdict="warn",
        worlds=CILIUM,
    ),
    Fault(
        name="translated",
        raises="E05",
        about="a device at the client's port gives what it sends another source address",
        profile=QUIET,
        verdict="warn",
    ),
)
