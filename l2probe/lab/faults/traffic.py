"""Family D: the address is answered for, and traffic does not arrive, or not all. One row for each fault."""

from __future__ import annotations

from l2probe.lab.faults.fault import BOTH, CILIUM, QUIET, Fault

TRAFFIC = (
    Fault(
        name="local-policy-drops",
        raises="D01",
        about="a node without a backend announces shop/web, of policy Local, and service-no-backend-response is drop",
        shown_by=("diagnose", "audit"),
        worlds=CILIUM,
    ),
    Fault(
        name="no-ready-backend",
        raises="D02",
        about="the selectors of the shop's Services match no Pod",
        shown_by=("diagnose", "audit"),
    ),
    Fault(
        name="announcer-drops",
        raises="D03",
        about="the announcer answers ARP and NDP, and drops every packet to the address",
        shown_by=(*BOTH, "audit --on-wire"),
    ),
    Fault(
        name="cross-node-blocked",
        raises="D04",
        about="a firewall drops all IP packets between nodes",
    ),
    Fault(
        name="cross-node-udp-blocked",
        raises="D05",
        about="a firewall drops UDP between nodes",
    ),
    Fault(
        name="mtu",
        raises="D06",
        about="the switch silently drops IP packets longer than 1400 bytes at the nodes' ports",
    ),
    Fault(
        name="reply-from-other-nic",
        raises="D08",
        about="the nodes answer for addresses on a second NIC, and their packets leave through the first",
        shown_by=(*BOTH, "audit --on-wire"),
        profile=QUIET,
        verdict="warn",
        worlds=CILIUM,
    ),
    Fault(
        name="intercepted",
        raises="D10",
        about="a proxy on the way takes what the client sends to the pool's addresses, and answers itself",
    ),
    Fault(
        name="wrong-target-port",
        raises="D11",
        about="the shop's Services point at a port on which no container listens",
        shown_by=("diagnose", "audit --on-wire"),
    ),
    Fault(
        name="loss",
        raises="D12",
        about="the switch loses 30 % of the IP packets at the nodes' ports",
    ),
    Fault(
        name="reply-not-translated",
        raises="D07",
        about="after the SYN-ACK a backend behind another node answers from its node's address and target port",
        shown_by=BOTH,
    ),
    Fault(
        name="asymmetric-path",
        raises="D09",
        about="the client reaches the pool through a stateful firewall on its segment, nodes answer it directly",
    ),
)
