"""How the lab can be broken: one frozen row for each fault. Standard library only; `controllers.breakage` applies."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from l2probe.lab.profiles import DEFAULT


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One named way to break the cluster.

    `raises` is the code of the finding that names this cause; `shown_by` are the commands whose first finding it is,
    with what they must be told besides. `profile`: the cluster that can be broken so, None where the default can.
    """

    name: str
    raises: str
    about: str
    shown_by: tuple[str, ...] = ("run",)
    profile: str | None = None

    @property
    def command(self) -> str:
        """The command that shows it in a fresh lab."""
        return shlex.join(self.commands[0])

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """Every command line whose first finding names this cause."""
        where = () if self.profile is None else ("--profile", self.profile)
        return tuple(("l2probe", *shlex.split(words), "--lab", *where, "--fault", self.name) for words in self.shown_by)


_ROWS = (
    Fault(
        name="silent-leader",
        raises="B07",
        about="every lease is held and renewed, and no node answers ARP or NDP for the addresses",
        shown_by=("run", "diagnose"),
    ),
    Fault(
        name="duplicate-announcers",
        raises="C01",
        about="a second node answers for every address beside the lease holder",
        shown_by=("run", "diagnose"),
    ),
    Fault(
        name="foreign-owner",
        raises="C03",
        about="a host outside the cluster owns every announced address too, and answers",
        shown_by=("run", "diagnose"),
    ),
    Fault(
        name="stale-lease",
        raises="B06",
        about="the holder's agent died: leases were not renewed for ten minutes, nobody took over, nobody answers",
        shown_by=("run", "diagnose"),
    ),
    Fault(
        name="announcer-drops",
        raises="D03",
        about="the announcer answers ARP and NDP, and drops every packet to the address",
        shown_by=("run", "diagnose"),
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
    Fault(
        name="no-policy",
        raises="B01",
        about="no CiliumL2AnnouncementPolicy exists",
        shown_by=("run", "diagnose"),
    ),
    Fault(
        name="no-pool",
        raises="A01",
        about="no CiliumLoadBalancerIPPool exists: addresses are taken away, new ones stay pending",
        shown_by=("run", "diagnose"),
    ),
    Fault(name="loss", raises="D12", about="the switch loses 30 % of the IP packets at the nodes' ports"),
)

FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for fault in _ROWS})
"""Every fault by its name."""


def profile_of(faults: Iterable[str]) -> str:
    """Return the profile that the first fault with a wish needs; the default one without."""
    wishes = (FAULTS[name].profile for name in faults if name in FAULTS)
    return next((wish for wish in wishes if wish is not None), DEFAULT)
