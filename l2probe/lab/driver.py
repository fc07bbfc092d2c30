"""What a machine of the lab can do for the controllers that run on it: the seam between Kubernetes and the kernel.

The controllers (IPAM, endpoint slices, election, kubelet) see the API over HTTP and the network only through these
protocols; `lab.world` implements them with namespaces, nft and AF_PACKET. Standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Forwarding(StrEnum):
    """How a frontend reaches its backends. MASQUERADE is kube-proxy's way, the others are Cilium's."""

    SNAT = "snat"
    DSR = "dsr"
    MASQUERADE = "masquerade"


class NoBackend(StrEnum):
    """What a frontend without a usable backend does (Cilium `service-no-backend-response`)."""

    REJECT = "reject"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How a node tells everyone that it has an address now: gratuitous ARP, unsolicited advertisements.

    `rounds` of it (None: for as long as it has the address), `pause` seconds apart. `operations`: the ARP operations
    (1 request, 2 reply) that a round sends, round after round from the start. `frame_bytes`: the length to which its
    ARP frames are padded. `overrides`: its solicited advertisements carry the Override flag and the address as source,
    else neither (RFC 4861 section 4.4).
    """

    rounds: int | None = 1
    pause: float = 0.0
    operations: tuple[tuple[int, ...], ...] = ((2,),)
    frame_bytes: int = 42
    overrides: bool = True


ONCE = Telling()
"""As Cilium does (pkg/datapath/gneigh)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A backend of a frontend: Pod address, target port, and the node it runs on (may be unknown)."""

    address: str
    port: int
    node: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """One VIP:port/protocol as every node's datapath knows it. `protocol` is "TCP" or "UDP".

    `targets` are all usable backends of the VIP's family; with `local_only` a node uses only those on itself
    (externalTrafficPolicy: Local). `source_ranges`: empty means everyone. `masquerade`: every backend sees the node.
    `reversing` False: what follows the SYN-ACK of a backend that got its question from another node leaves with its
    node's address and the target port.
    """

    vip: str
    port: int
    protocol: str
    targets: tuple[Target, ...]
    forwarding: Forwarding
    no_backend: NoBackend
    local_only: bool = False
    source_ranges: tuple[str, ...] = ()
    masquerade: bool = False
    reversing: bool = True


class Severed(StrEnum):
    """What is lost between two nodes: nothing, all of IP (ARP and NDP pass), or UDP."""

    NOTHING = ""
    ALL = "all"
    UDP = "udp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meddling:
    """What devices between the machines do to frames; the defaults do nothing.

    `severed`: between nodes. `intercepting`: a proxy takes what the client sends to the pool, and answers itself.
    `isolating`: the client's port passes no ARP and no NDP. `translating`: a device at the client's port gives what it
    sends to the pool another source address, and gives the answers back.
    """

    severed: Severed = Severed.NOTHING
    intercepting: bool = False
    isolating: bool = False
    translating: bool = False


HARMLESS = Meddling()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodLink:
    """A Pod's place in the network: addresses and an open file descriptor of its network namespace."""

    name: str
    netns: int
    addresses: tuple[str, ...]


class Process(Protocol):
    """A process in a namespace of the lab."""

    pid: int

    async def wait(self) -> int:
        """Return the exit status (negative: the signal that ended it)."""
        ...

    def signal(self, number: int) -> None:
        """Send a signal; a process that is gone already is no error."""
        ...


class NodeDriver(Protocol):
    """One node: its NIC, its datapath, its Pods' links."""

    name: str
    addresses: tuple[str, ...]
    mac: str
    interfaces: tuple[str, ...]

    def announce(
        self, addresses: frozenset[str], *, gratuitous: bool = True, device: str = "eth0", telling: Telling = ONCE
    ) -> None:
        """Answer who-has and solicitations on this interface for exactly these; tell of new ones when `gratuitous`."""
        ...

    async def own(self, addresses: frozenset[str]) -> None:
        """Have exactly these on the NIC, so that the kernel answers for them."""
        ...

    def tell(self, addresses: frozenset[str], telling: Telling) -> None:
        """Tell everyone that the NIC has exactly these, beside what is announced; who asks is left to the kernel."""
        ...

    def heed(self, *, broadcast: bool, multicast: bool) -> None:
        """Answer for announced addresses who-has to everybody, and multicast solicitations, or only unicast ones."""
        ...

    async def second_nic(self, *, present: bool, shy: bool = False) -> None:
        """Plug eth1 into the same segment, served as the first one is, or pull it; twice the same is no error.

        It has no address, and answers ARP for the node's own as Linux does, unless `shy` (arp_ignore=1).
        """
        ...

    async def program(self, frontends: Sequence[Frontend]) -> None:
        """Replace the node's load-balancing datapath by these frontends, in one transaction."""
        ...

    async def drop_traffic(self, addresses: frozenset[str]) -> None:
        """Drop every packet to these addresses at the NIC although ARP still works; the empty set ends it."""
        ...

    def attach_pod(self, name: str) -> PodLink:
        """Give a Pod a network namespace, a link and addresses of this node's Pod ranges."""
        ...

    def detach_pod(self, name: str) -> None:
        """Take all that away; unknown names are no error."""
        ...

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        netns: int,
        env: Mapping[str, str],
        binds: Sequence[tuple[str, str]] = (),
        hostname: str = "",
        output: int | None = None,
    ) -> Process:
        """Start a process without privileges in a Pod's namespace.

        `binds` are (source directory, mount path) pairs, read-only, seen by this process only; `hostname` is what it
        takes for the machine's name; `output` is a file descriptor for its stdout and stderr.
        """
        ...


class SwitchDriver(Protocol):
    """The switch and the machines on it that belong to no cluster."""

    async def limit_frames(self, node: str | None, max_bytes: int | None) -> None:
        """Silently drop longer IP packets at this node's port (None: every node's); `max_bytes` None ends it."""
        ...

    async def lose(self, node: str | None, percent: int) -> None:
        """Drop this share of IP packets (not ARP, not NDP) at this node's port (None: every node's); 0 ends it."""
        ...

    def foreign(self, addresses: frozenset[str]) -> None:
        """Make the foreign host own exactly these addresses too: it answers ARP and NDP and serves its own page."""
        ...


class ClientDriver(Protocol):
    """The client as a machine: its neighbour table and its way to the pool."""

    def keep_neighbours(self, *, keep: bool) -> None:
        """Make its kernel keep an ARP entry against every other MAC, for ten minutes; False: for a second, as usual."""
        ...

    async def detour(self, *, detour: bool) -> None:
        """Send what goes to the pool's addresses through a stateful firewall on the same segment."""
        ...


class PathDriver(Protocol):
    """The devices between the machines."""

    async def meddle(self, meddling: Meddling) -> None:
        """Do exactly this to frames from now on."""
        ...


class World(Protocol):
    """Everything below Kubernetes."""

    nodes: tuple[NodeDriver, ...]
    switch: SwitchDriver
    path: PathDriver
    client_host: ClientDriver
