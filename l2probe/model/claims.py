"""What the control plane says: it may be wrong. `None` is "not looked", `()` is "looked, nothing there"."""

from __future__ import annotations

from dataclasses import dataclass

from l2probe.model.terms import Datapath, Ip, NodeName, Protocol, TrafficPolicy


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
    """A Service of type LoadBalancer. `backends` None: EndpointSlices were not read.

    `hostnames`: names that its status gives where others have addresses, as clouds do.
    """

    namespace: str
    name: str
    vips: tuple[Ip, ...]
    policy: TrafficPolicy = TrafficPolicy.CLUSTER
    load_balancer_class: str | None = None
    ports: tuple[Port, ...] = ()
    conditions: tuple[Condition, ...] = ()
    backends: tuple[Backend, ...] | None = None
    labels: tuple[tuple[str, str], ...] = ()
    hostnames: tuple[str, ...] = ()


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
    """What the cluster says it is. Everything here is a claim. None: not looked (or not allowed to).

    `stray_claims`: claims about Services that do not exist.
    """

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
    stray_claims: tuple[Claim, ...] | None = None
