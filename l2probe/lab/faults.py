"""How the lab can be broken: one frozen row for each fault. Standard library only; `controllers.breakage` applies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One named way to break the cluster.

    `raises` is the code of the finding that names this cause, `command` what a person types to break a running lab so.
    """

    name: str
    raises: str
    about: str

    @property
    def command(self) -> str:
        """The command that applies it to a running lab."""
        return f"l2probe lab fault {self.name}"


_ROWS = (
    Fault(
        name="silent-leader",
        raises="B07",
        about="every lease is held and renewed, and no node answers ARP or NDP for the addresses",
    ),
    Fault(
        name="duplicate-announcers",
        raises="C01",
        about="a second node answers for every address beside the lease holder",
    ),
    Fault(
        name="foreign-owner",
        raises="C03",
        about="a host outside the cluster owns every announced address too, and answers",
    ),
    Fault(
        name="stale-lease",
        raises="B06",
        about="the holder's agent died: leases were not renewed for ten minutes, nobody took over, nobody answers",
    ),
    Fault(
        name="announcer-drops",
        raises="D03",
        about="the announcer answers ARP and NDP, and drops every packet to the address",
    ),
    Fault(
        name="dsr-not-effective",
        raises="E03",
        about="the configuration says DSR, and the datapath translates source addresses",
    ),
    Fault(
        name="mtu",
        raises="D06",
        about="the switch silently drops IP packets longer than 1400 bytes at the nodes' ports",
    ),
    Fault(name="no-policy", raises="B01", about="no CiliumL2AnnouncementPolicy exists"),
    Fault(
        name="no-pool",
        raises="A01",
        about="no CiliumLoadBalancerIPPool exists: addresses are taken away, new ones stay pending",
    ),
    Fault(name="loss", raises="D12", about="the switch loses 30 % of the IP packets at the nodes' ports"),
)

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in _ROWS})
"""Every fault by its name."""
