"""Family F: the address goes from node to node, and not as it should. One row for each fault."""

from __future__ import annotations

from l2probe.lab.faults.fault import BOTH, QUIET, Fault

TAKEOVERS = (
    Fault(
        name="announcer-flaps",
        raises="F01",
        about="every holder lets go of its leases again and again, and another node takes them",
        shown_by=BOTH,
    ),
    Fault(
        name="no-gratuitous-arp",
        raises="F02",
        about="a node that takes an address over tells nobody unasked",
        profile=QUIET,
    ),
    Fault(
        name="slow-failover",
        raises="F03",
        about="a lease that was let go is taken late, far beyond what its settings allow",
        profile="cilium-1.20.2-dsr+quick",
    ),
    Fault(
        name="gratuitous-arp-ignored",
        raises="F04",
        about="the client's kernel keeps an ARP entry for ten minutes whatever it hears (neighbour locktime)",
        profile=QUIET,
    ),
)
