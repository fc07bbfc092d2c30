"""The client as a machine: what its kernel remembers of neighbours, and which way it takes to the pool.

Implements the driver's `ClientDriver`.
"""

from __future__ import annotations

from l2probe.lab import links
from l2probe.lab import rtnetlink as rt
from l2probe.lab.netns import ROUTERS, Namespace
from l2probe.lab.programs import Programs
from l2probe.lab.topology import FIREWALL, POOL_ROUTES, UPLINK_INDEX

_LOCK_SECONDS, _KEPT_SECONDS = 1, 600
"""Linux's own locktime, and one that outlasts every look."""
_FIREWALL = """\
table inet firewall {
  chain forward { type filter hook forward priority 0; policy accept; ct state invalid drop; }
  chain output { type filter hook output priority 0; policy accept; icmpv6 type nd-redirect drop; }
}
"""
"""A stateful firewall that stands between two machines of one segment, and does not tell them so."""


class ClientHost:
    """The driver's `ClientDriver`."""

    def __init__(self, client: Namespace, switch: Namespace, programs: Programs) -> None:
        self._client = client
        self._switch = switch
        self._programs = programs
        self._firewall: Namespace | None = None
        self._kept = False
        self._detour = False

    def keep_neighbours(self, *, keep: bool) -> None:
        """See `ClientDriver`: the locktime of its ARP entries. NDP has none."""
        if keep != self._kept:
            self._client.netlink.do(rt.neighbour_lock(UPLINK_INDEX, _KEPT_SECONDS if keep else _LOCK_SECONDS))
            self._kept = keep

    async def detour(self, *, detour: bool) -> None:
        """See `ClientDriver`; the firewall is plugged in when it is needed first."""
        if detour == self._detour:
            return
        if self._firewall is None:
            self._firewall = Namespace.new(ROUTERS)
            links.connect(self._switch, FIREWALL, self._firewall)
            await self._programs.nft(self._firewall, _FIREWALL)
        change = rt.route if detour else rt.remove_route
        gateways = {False: FIREWALL.v4, True: FIREWALL.v6}
        self._client.netlink.do(*(change(cidr, UPLINK_INDEX, via=gateways[":" in cidr]) for cidr in POOL_ROUTES))
        self._detour = detour
