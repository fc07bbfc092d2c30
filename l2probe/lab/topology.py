"""What the lab looks like: machines, addresses, names. A frozen description; no kernel here.

One Ethernet segment (documentation prefixes of RFC 5737 and RFC 3849) with a switch, a client, three nodes and a
foreign host; Pods hang off their node and are routed. Interface indices are chosen here, so that nobody has to ask
the kernel for them.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

SUBNET4 = "198.51.100.0/24"
SUBNET6 = "2001:db8:1::/64"
PODS4 = "10.244.0.0/16"
PODS6 = "fd00:10::/32"
POOL4 = ("198.51.100.40", "198.51.100.79")
POOL6 = ("2001:db8:1::40", "2001:db8:1::7f")

UPLINK = "eth0"
UPLINK_INDEX = 2
SECOND = "eth1"
SECOND_INDEX = 3
"""A node's second NIC, which only a fault plugs in."""
BRIDGE = "br0"
BRIDGE_INDEX = 2
POD_GATEWAY6 = "fe80::1"
"""Every node's address on each of its Pods' links."""
FIRST_POD, LAST_POD = 10, 249
"""Host numbers that Pods get in their node's ranges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine on the segment. `port`: the switch's interface in which its cable ends, `port_index` its number."""

    name: str
    mac: str
    v4: str
    v6: str
    port: str
    port_index: int

    @property
    def addresses(self) -> tuple[str, str]:
        """IPv4 first."""
        return self.v4, self.v6


@dataclass(frozen=True, slots=True, kw_only=True)
class Site(Machine):
    """A machine that is a cluster node; `number` is in its addresses and in those of its Pods."""

    number: int

    @property
    def second(self) -> Machine:
        """Where the node's second NIC is plugged in; it has no addresses of its own."""
        return Machine(
            name=self.name,
            mac=f"02:00:00:00:01:{self.number:02x}",
            v4=self.v4,
            v6=self.v6,
            port=f"q-{self.name}",
            port_index=30 + self.number,
        )

    @property
    def pods4(self) -> str:
        """The node's Pod range."""
        return f"10.244.{self.number}.0/24"

    @property
    def pods6(self) -> str:
        """The node's IPv6 Pod range."""
        return f"fd00:10:{self.number}::/64"

    @property
    def gateway4(self) -> str:
        """What the node's Pods route through."""
        return f"10.244.{self.number}.1"

    @property
    def gateway6(self) -> str:
        """The node's own address in its IPv6 Pod range."""
        return f"fd00:10:{self.number}::1"

    def pod_addresses(self, host: int) -> tuple[str, str]:
        """Return the addresses of the Pod with this host number, IPv4 first."""
        return f"10.244.{self.number}.{host}", f"fd00:10:{self.number}::{host:x}"


def _site(number: int) -> Site:
    return Site(
        name=f"node-{number}",
        number=number,
        mac=f"02:00:00:00:00:{number:02x}",
        v4=f"198.51.100.{10 + number}",
        v6=f"2001:db8:1::{10 + number}",
        port=f"p-node-{number}",
        port_index=10 + number,
    )


NODES = tuple(_site(number) for number in (1, 2, 3))
CLIENT = Machine(
    name="client",
    mac="02:00:00:00:00:64",
    v4="198.51.100.100",
    v6="2001:db8:1::100",
    port="p-client",
    port_index=20,
)
FOREIGN = Machine(
    name="foreign",
    mac="02:00:00:00:00:c8",
    v4="198.51.100.200",
    v6="2001:db8:1::200",
    port="p-foreign",
    port_index=21,
)
FIREWALL = Machine(
    name="firewall",
    mac="02:00:00:00:00:fd",
    v4="198.51.100.253",
    v6="2001:db8:1::253",
    port="p-firewall",
    port_index=23,
)
"""Plugged in only by a fault: a router on the same segment, through which the client then reaches the pool."""
POOL_ROUTES = ("198.51.100.32/27", "198.51.100.64/28", "2001:db8:1::40/122")
"""Ranges that together hold the pool, and no machine."""
MACHINES: tuple[Machine, ...] = (*NODES, CLIENT, FOREIGN)

ROUTER = Machine(
    name="router",
    mac="02:00:00:00:00:fe",
    v4="198.51.100.1",
    v6="2001:db8:1::1",
    port="p-router",
    port_index=22,
)
"""Leads to a second segment; only a fault builds both."""
REMOTE_SUBNETS = ("203.0.113.0/24", "2001:db8:2::/64")
REMOTE_GATEWAY = ("203.0.113.1", "2001:db8:2::1")
REMOTE = Machine(
    name="remote", mac="02:00:00:00:02:64", v4="203.0.113.100", v6="2001:db8:2::100", port="eth1", port_index=3
)
"""The machine on the second segment, at the router's port."""


def home(address: str) -> str | None:
    """Return the name of the node whose Pod ranges hold this address, or None."""
    ip = ipaddress.ip_address(address)
    for site in NODES:
        if ip in ipaddress.ip_network(site.pods4 if ip.version == 4 else site.pods6):  # noqa: PLR2004 - the IP version
            return site.name
    return None
