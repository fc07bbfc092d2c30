"""What was seen from where we stand, and all of it together as Evidence. Times are Unix seconds."""

from __future__ import annotations

from dataclasses import dataclass

from l2probe.model.claims import Backend, Claim, Cluster, Service
from l2probe.model.terms import Dialect, Flow, Ip, Mac, NodeName, Outcome, Placement, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """Where we stand. `cluster_node`: the Node that this host is; None when it is none (or nobody looked).

    `subnets`: those that the interface is on, as CIDR. `routers`: its default gateways.
    """

    interface: str | None
    mac: Mac | None = None
    addresses: tuple[Ip, ...] = ()
    on_link: bool | None = None
    gateway: Ip | None = None
    raw_socket: bool = False
    cluster_node: NodeName | None = None
    subnets: tuple[str, ...] = ()
    routers: tuple[Ip, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourReply:
    """One frame that told who has an address: an ARP reply or request whose sender is `ip`, or an NDP advertisement.

    `mac` is the advertised hardware address, `frame_mac` the Ethernet source. `node`: whose MAC that is, None when no
    node owned it. `op`: reply, request (ARP), advertisement (NDP). `asked`: broadcast, unicast, multicast or None.
    """

    at: float
    ip: Ip
    mac: Mac
    op: str
    solicited: bool
    frame_mac: Mac | None = None
    node: NodeName | None = None
    asked: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One question to a VIP and what came of it; a timeout is a value, never an exception.

    `seen` is the client address that the Pod saw. `sent_mac` is where our first frame went, `reply_mac` who sent the
    first frame back (the SYN-ACK or the datagram); both None without a raw socket. `payload_bytes`: TCP or UDP payload
    sent. `icmp` is (type, code) of a refusal. `unsent`: our own kernel refused to send (no route, a local
    firewall, longer than the link's MTU), so the network was not asked. `strays`: address and port of everybody else
    who sent packets to our end of this exchange; None where frames were not read.
    """

    at: float
    protocol: Protocol
    vip: Ip
    port: int
    outcome: Outcome
    payload_bytes: int
    source: Ip | None = None
    source_port: int | None = None
    seen: Ip | None = None
    pod: str | None = None
    node: NodeName | None = None
    sent_mac: Mac | None = None
    reply_mac: Mac | None = None
    latency_seconds: float | None = None
    icmp: tuple[int, int] | None = None
    unsent: bool = False
    detail: str = ""
    strays: tuple[tuple[Ip, int], ...] | None = None

    @property
    def flow(self) -> Flow:
        """The flow kind, from the protocol and the VIP's family."""
        return Flow(f"{self.protocol.lower()}{6 if ':' in self.vip else 4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One question put to one Service with its backend in one place.

    `target` is the only Pod the Service pointed at (None: all of them). `announcer`: the node that the wire showed when
    the target was chosen. `observed_seconds`: how long the wire was watched after the Service pointed at the target;
    `settled`: the cluster demonstrably had its chance to react in that time (for Cilium: the same holder renewed its
    lease after the change, or another took it). `own` False: a Service of the user's, to which we hold no secret; then
    an established connection counts as answered and proves nothing about who answered. `ingress`: the addresses that
    the Service had, each time that they were read and had changed, oldest first.
    """

    name: str
    service: Service
    placement: Placement
    target: Backend | None = None
    announcer: NodeName | None = None
    claims: tuple[Claim, ...] | None = None
    replies: tuple[NeighbourReply, ...] | None = None
    exchanges: tuple[Exchange, ...] | None = None
    started: float = 0.0
    observed_seconds: float = 0.0
    settled: bool = False
    obstacle: str | None = None
    own: bool = True
    ingress: tuple[tuple[Ip, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharer:
    """Another Service that has an address of one that was tried, and what is claimed about who announces it."""

    service: Service
    claims: tuple[Claim, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OffLink:
    """What was asked on the nodes' segment about addresses that lie in none of its subnets, and who answered."""

    interface: str
    subnets: tuple[str, ...]
    asked: tuple[Ip, ...]
    replies: tuple[NeighbourReply, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """One ICMP echo request to a VIP. `said`: the ICMP message that came instead of an answer, in words."""

    at: float
    vip: Ip
    answered: bool
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that was observed. From here on there is no I/O and no clock.

    `node_replies`: answers to who-has for the nodes' own addresses, which map MACs to nodes and show that the interface
    can hear at all. `required`: capabilities without which the user calls the cluster broken. `command`: the flow that
    observed ("run", "diagnose", "audit"). `pool_replies`: answers to who-has for pool addresses that no Service has.
    `echo`: what answered in our own Pods, which decides how much an answer proves. `sharers`: other Services at these
    addresses. `pings`: only when asked for. `partly_asked`: silent addresses for which not every machine was asked
    alone, as is done of a silent one, nor its holder.
    """

    cluster: Cluster
    vantage: Vantage
    node_replies: tuple[NeighbourReply, ...] | None = None
    trials: tuple[Trial, ...] = ()
    flows: tuple[Flow, ...] = ()
    required: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    command: str = "run"
    pool_replies: tuple[NeighbourReply, ...] | None = None
    echo: Dialect = Dialect.SCRIPT
    sharers: tuple[Sharer, ...] = ()
    off_link: OffLink | None = None
    pings: tuple[Ping, ...] | None = None
    partly_asked: tuple[Ip, ...] = ()
