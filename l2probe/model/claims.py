"""What the control plane says: it may be wrong. `None` is "not looked", `()` is "looked, nothing there"."""

from __future__ import annotations

from dataclasses import dataclass

from l2probe.model.terms import Datapath, Ip, NodeName, Protocol, TrafficPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One thing the API server must allow: a SelfSubjectAccessReview's resourceAttributes. `name`: one object only."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""
    name: str = ""


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
    """An endpoint of a Service. `node` is None for a synthetic backend (Cilium Gateway).

    `serving`: it answers, even while it ends and is not ready any more.
    """

    address: Ip
    node: NodeName | None
    ready: bool
    serving: bool = True
    pod: str | None = None

    @property
    def usable(self) -> bool:
        """Whether new connections may go to it: also while it ends, where no other backend is ready (KEP-1669)."""
        return self.ready or self.serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A Service port."""

    protocol: Protocol
    port: int
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One term of a label selector: key, operator (In, NotIn, Exists, DoesNotExist), values; matchLabels become In."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Who may come from outside the cluster: the addresses of a network (CIDR), without those of others."""

    network: str
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy:
    """A policy that restricts what may reach Pods: NetworkPolicy, CiliumNetworkPolicy or its cluster-wide kind.

    `selector`: the Pods' labels. `admits`: who may come from outside the cluster, to whatever port. `denies`: networks
    that are refused whatever else admits them.
    """

    kind: str
    namespace: str
    name: str
    selector: tuple[Requirement, ...] = ()
    admits: tuple[Admission, ...] = ()
    denies: tuple[Admission, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Service of type LoadBalancer. `backends` None: EndpointSlices were not read.

    `hostnames`: names that its status gives where others have addresses, as clouds do.
    `wanted`: the addresses that it asks for. `sharing_key`: under which it may share an address; "" without one, None
    when nobody looked. `source_ranges`: spec.loadBalancerSourceRanges; `ranges_refuse`: these are refused, and all
    others admitted. `network_policies`: those that might concern its Pods. `beyond`: backends of other clusters may
    serve it too (a global Service of Cilium's ClusterMesh). `forwarding`: the datapath mode that it asks for itself.
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
    wanted: tuple[Ip, ...] = ()
    sharing_key: str | None = None
    source_ranges: tuple[str, ...] = ()
    selector: tuple[tuple[str, str], ...] = ()
    network_policies: tuple[NetworkPolicy, ...] | None = None
    ranges_refuse: bool = False
    beyond: bool = False
    forwarding: Datapath | None = None


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
class Controller:
    """Someone who writes addresses into LoadBalancer Services.

    `source` is what shows it ("DaemonSet kube-system/svclb-web"). `service`: the one Service (namespace/name) that it
    shows it for, "" for all that it serves.
    """

    name: str
    source: str
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What the cluster says it is. Everything here is a claim. None: not looked (or not allowed to).

    `stray_claims`: claims about Services that do not exist. `within`: the only namespace whose Services may be listed;
    "" when all may, or none. `bgp`: what MetalLB announces to routers (BGPAdvertisement).
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
    controllers: tuple[Controller, ...] | None = None
    within: str = ""
    bgp: tuple[AnnouncementPolicy, ...] | None = None
