"""The nouns: what was claimed, what was seen, what is concluded.

Standard library only, frozen, no I/O, no clock. Three kinds of nothing stay apart everywhere: `None` means
"not looked", `()` means "looked, nothing there". Times are Unix seconds (float), sizes are bytes, durations seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, NewType, TypeVar

Ip = NewType("Ip", str)
"""An IPv4 or IPv6 address in its canonical text form (`str(ipaddress.ip_address(...))`)."""
Mac = NewType("Mac", str)
"""An Ethernet address in lower case with colons, as in 02:00:00:00:00:01."""
NodeName = NewType("NodeName", str)
"""A Kubernetes Node's metadata.name."""

T = TypeVar("T")


class Verdict(StrEnum):
    """How good it is; declared best to worst, so the report's verdict is the worst of its findings."""

    PASS = "pass"  # noqa: S105 - a verdict, no password
    WARN = "warn"
    UNKNOWN = "unknown"
    FAIL = "fail"


class Flow(StrEnum):
    """A flow kind: what is proven separately, because implementations treat them separately."""

    TCP4 = "tcp4"
    UDP4 = "udp4"
    TCP6 = "tcp6"
    UDP6 = "udp6"


class Protocol(StrEnum):
    """The transport of a Service port, in the spelling of the Kubernetes API."""

    TCP = "TCP"
    UDP = "UDP"


class TrafficPolicy(StrEnum):
    """Service.spec.externalTrafficPolicy."""

    CLUSTER = "Cluster"
    LOCAL = "Local"


class Datapath(StrEnum):
    """How the configuration says that traffic reaches a backend on another node (Cilium bpf-lb-mode)."""

    SNAT = "snat"
    DSR = "dsr"
    HYBRID = "hybrid"


class Outcome(StrEnum):
    """How one exchange with a VIP ended."""

    ANSWERED = "answered"
    TIMEOUT = "timeout"
    REFUSED_RST = "refused-rst"
    REFUSED_ICMP = "refused-icmp"
    NO_NEIGHBOUR = "no-neighbour"
    RESET = "reset"
    WRONG_ANSWER = "wrong-answer"


class Source(StrEnum):
    """When the Pod sees the client's own address."""

    ALWAYS = "always"
    ON_ANNOUNCER_ONLY = "on-announcer-only"
    NEVER = "never"
    UNKNOWN = "unknown"


class LocalPolicy(StrEnum):
    """What policy Local does when the only ready backend is not on the announcer."""

    SERVED = "served"
    MOVED = "moved"
    DROPPED = "dropped"
    REJECTED = "rejected"
    UNANNOUNCED = "unannounced"
    UNKNOWN = "unknown"


class Placement(StrEnum):
    """Where a trial's backend stands, seen from the announcer."""

    ANY = "any"
    ON_ANNOUNCER = "on-announcer"
    OFF_ANNOUNCER = "off-announcer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vantage:
    """Where we stand. `cluster_node`: the Node that this host is; None when it is none (or nobody looked)."""

    interface: str | None
    mac: Mac | None = None
    addresses: tuple[Ip, ...] = ()
    on_link: bool | None = None
    gateway: Ip | None = None
    raw_socket: bool = False
    cluster_node: NodeName | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One thing the API server must allow: a SelfSubjectAccessReview's resourceAttributes."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A status condition of an API object."""

    type: str
    status: str
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A cluster node. `schedulable`: not cordoned, and no taint that keeps a Pod without tolerations away.

    `taints`: those that do, as key, value, effect. `pod_networks`: spec.podCIDRs.
    """

    name: NodeName
    addresses: tuple[Ip, ...]
    ready: bool
    schedulable: bool = True
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[tuple[str, str, str], ...] = ()
    pod_networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """An endpoint of a Service. `node` is None for a synthetic backend (Cilium Gateway)."""

    address: Ip
    node: NodeName | None
    ready: bool
    serving: bool = True
    pod: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A Service port."""

    protocol: Protocol
    port: int
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Service of type LoadBalancer. `backends` None: EndpointSlices were not read."""

    namespace: str
    name: str
    vips: tuple[Ip, ...]
    policy: TrafficPolicy = TrafficPolicy.CLUSTER
    load_balancer_class: str | None = None
    ports: tuple[Port, ...] = ()
    conditions: tuple[Condition, ...] = ()
    backends: tuple[Backend, ...] | None = None
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """A Pod we made. `waiting`: why it is not ready, in the cluster's own words, or None."""

    name: str
    node: NodeName | None
    addresses: tuple[Ip, ...]
    ready: bool
    phase: str
    waiting: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What the control plane says about who announces a Service; never what is true.

    `source` names the object ("Lease kube-system/cilium-l2announce-a-b"). `why_nobody`: the reason that the control
    plane gives when `holder` is None.
    """

    implementation: str
    source: str
    holder: NodeName | None
    read_at: float
    acquired: float | None = None
    renewed: float | None = None
    duration_seconds: float | None = None
    transitions: int | None = None
    why_nobody: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """An address pool (CiliumLoadBalancerIPPool, MetalLB IPAddressPool). `blocks`: CIDR or "start-stop"."""

    name: str
    blocks: tuple[str, ...]
    disabled: bool = False
    conflicting: bool = False
    available: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One term of a label selector: key, operator (In, NotIn, Exists, DoesNotExist), values; matchLabels become In."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncementPolicy:
    """What may be announced from where (CiliumL2AnnouncementPolicy, L2Advertisement). Selector None: selects all."""

    name: str
    load_balancer_ips: bool
    service_selector: tuple[Requirement, ...] | None = None
    node_selector: tuple[Requirement, ...] | None = None
    interfaces: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    errors: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What the cluster says it is. Everything here is a claim. None: not looked (or not allowed to)."""

    context: str | None = None
    server_version: str | None = None
    implementation: str | None = None
    implementation_version: str | None = None
    announcing: bool | None = None
    datapath: Datapath | None = None
    settings: tuple[tuple[str, str], ...] = ()
    pools: tuple[Pool, ...] | None = None
    policies: tuple[AnnouncementPolicy, ...] | None = None
    nodes: tuple[Node, ...] | None = None
    services: tuple[Service, ...] | None = None
    missing_rights: tuple[Right, ...] = ()


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
    sent. `icmp` is (type, code) of a refusal.
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
    detail: str = ""

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
    an established connection counts as answered and proves nothing about who answered.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that was observed. From here on there is no I/O and no clock.

    `node_replies`: answers to who-has for the nodes' own addresses, which map MACs to nodes and show that the interface
    can hear at all. `required`: capabilities without which the user calls the cluster broken. `command`: the flow that
    observed ("run", "diagnose").
    """

    cluster: Cluster
    vantage: Vantage
    node_replies: tuple[NeighbourReply, ...] | None = None
    trials: tuple[Trial, ...] = ()
    flows: tuple[Flow, ...] = ()
    required: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    command: str = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class PerFlow(Generic[T]):
    """One value for each flow kind."""

    tcp4: T
    udp4: T
    tcp6: T
    udp6: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What this cluster does, as seen from outside. `exclusive`: exactly one announcer for each address."""

    announced_by: NodeName | None
    exclusive: bool | None
    reachable: PerFlow[bool | None]
    source: PerFlow[Source]
    local_policy: PerFlow[LocalPolicy]
    largest_payload_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a finding is about; empty strings where it is about the cluster as a whole."""

    namespace: str = ""
    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A claim about someone's production network, with its evidence in words a sceptic can check.

    `because` holds one observation a line. `consequence_of` is the code of the finding that explains this one.
    """

    code: str
    slug: str
    verdict: Verdict
    says: str
    because: tuple[str, ...]
    remedy: str
    subject: Subject = field(default_factory=Subject)
    references: tuple[str, ...] = ()
    consequence_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The JSON contract (schema "l2probe/report/v1"). `started` is RFC 3339 UTC."""

    schema: str
    tool: str
    command: str
    started: str
    duration_seconds: float
    verdict: Verdict
    capabilities: Capabilities
    findings: tuple[Finding, ...]
    evidence: Evidence
