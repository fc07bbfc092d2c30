"""The few fields of Kubernetes objects that we read, for msgspec's partial decoding. No logic.

The server may send null for any list or map, hence `| None` everywhere; what must be there has no default.
"""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Part(msgspec.Struct, rename="camel", frozen=True):
    """A JSON object with camelCase names; unknown fields are skipped."""


class ListMeta(Part, frozen=True):
    """metadata of a list."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class Page(Part, Generic[T], frozen=True):
    """One page of a list. `items` is required: an answer without it is no list."""

    items: list[T] | None
    metadata: ListMeta = ListMeta()


class WatchEvent(Part, frozen=True):
    """One line of a watch."""

    type: str
    object: msgspec.Raw


class Status(Part, frozen=True):
    """The Status object of an error event."""

    code: int = 0
    message: str = ""


class Meta(Part, frozen=True):
    """metadata of an object."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Bare(Part, frozen=True):
    """Any object, by its metadata."""

    metadata: Meta


class ConditionPart(Part, frozen=True):
    """An entry of status.conditions."""

    type: str = ""
    status: str = ""
    reason: str | None = None
    message: str | None = None


class Ingress(Part, frozen=True):
    """An entry of status.loadBalancer.ingress."""

    ip: str | None = None
    hostname: str | None = None


class LoadBalancer(Part, frozen=True):
    """status.loadBalancer."""

    ingress: list[Ingress] | None = None


class ServiceStatus(Part, frozen=True):
    """status of a Service."""

    load_balancer: LoadBalancer = LoadBalancer()
    conditions: list[ConditionPart] | None = None


class ServicePort(Part, frozen=True):
    """An entry of spec.ports."""

    port: int
    protocol: str = "TCP"
    name: str = ""


class ServiceSpec(Part, frozen=True):
    """spec of a Service."""

    type: str = "ClusterIP"
    ports: list[ServicePort] | None = None
    selector: dict[str, str] | None = None
    external_traffic_policy: str | None = None
    load_balancer_class: str | None = None
    load_balancer_ip: str | None = msgspec.field(default=None, name="loadBalancerIP")
    load_balancer_source_ranges: list[str] | None = None


class ServiceObject(Part, frozen=True):
    """v1 Service."""

    metadata: Meta
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class EndpointConditions(Part, frozen=True):
    """conditions of an endpoint; null means ready (EndpointSlice API)."""

    ready: bool | None = None
    serving: bool | None = None


class TargetRef(Part, frozen=True):
    """What stands behind an endpoint."""

    kind: str = ""
    name: str = ""


class Endpoint(Part, frozen=True):
    """An endpoint of a slice."""

    addresses: list[str] | None = None
    conditions: EndpointConditions | None = None
    node_name: str | None = None
    target_ref: TargetRef | None = None


class SliceObject(Part, frozen=True):
    """discovery.k8s.io/v1 EndpointSlice."""

    metadata: Meta
    address_type: str = ""
    endpoints: list[Endpoint] | None = None


class Taint(Part, frozen=True):
    """A taint of a Node."""

    key: str = ""
    value: str | None = None
    effect: str = ""


class NodeSpec(Part, frozen=True):
    """spec of a Node."""

    pod_cidrs: list[str] | None = msgspec.field(default=None, name="podCIDRs")
    unschedulable: bool = False
    taints: list[Taint] | None = None


class NodeAddress(Part, frozen=True):
    """An address of a Node."""

    type: str
    address: str


class NodeStatus(Part, frozen=True):
    """status of a Node."""

    addresses: list[NodeAddress] | None = None
    conditions: list[ConditionPart] | None = None


class NodeObject(Part, frozen=True):
    """v1 Node."""

    metadata: Meta
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class Waiting(Part, frozen=True):
    """A container that has not started."""

    reason: str | None = None
    message: str | None = None


class Terminated(Part, frozen=True):
    """A container that has ended."""

    exit_code: int = 0
    reason: str | None = None
    message: str | None = None


class ContainerState(Part, frozen=True):
    """state of a container."""

    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(Part, frozen=True):
    """An entry of status.containerStatuses."""

    name: str = ""
    state: ContainerState | None = None


class PodIp(Part, frozen=True):
    """An entry of status.podIPs."""

    ip: str = ""


class PodStatus(Part, frozen=True):
    """status of a Pod."""

    phase: str = "Pending"
    reason: str | None = None
    message: str | None = None
    conditions: list[ConditionPart] | None = None
    pod_ips: list[PodIp] | None = msgspec.field(default=None, name="podIPs")
    init_container_statuses: list[ContainerStatus] | None = None
    container_statuses: list[ContainerStatus] | None = None


class Container(Part, frozen=True):
    """A container of a Pod."""

    name: str = ""
    image: str = ""


class PodSpec(Part, frozen=True):
    """spec of a Pod."""

    node_name: str | None = None
    containers: list[Container] | None = None


class PodObject(Part, frozen=True):
    """v1 Pod."""

    metadata: Meta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class PodTemplate(Part, frozen=True):
    """spec.template of a DaemonSet."""

    spec: PodSpec = PodSpec()


class DaemonSetSpec(Part, frozen=True):
    """spec of a DaemonSet."""

    template: PodTemplate = PodTemplate()


class DaemonSetObject(Part, frozen=True):
    """apps/v1 DaemonSet."""

    metadata: Meta
    spec: DaemonSetSpec = DaemonSetSpec()


class Involved(Part, frozen=True):
    """involvedObject of an Event."""

    kind: str = ""
    name: str = ""


class EventObject(Part, frozen=True):
    """v1 Event."""

    metadata: Meta
    involved_object: Involved
    type: str = ""
    reason: str | None = None
    message: str | None = None


class LeaseSpec(Part, frozen=True):
    """spec of a Lease."""

    holder_identity: str | None = None
    acquire_time: datetime | None = None
    renew_time: datetime | None = None
    lease_duration_seconds: int | None = None
    lease_transitions: int | None = None


class LeaseObject(Part, frozen=True):
    """coordination.k8s.io/v1 Lease."""

    metadata: Meta
    spec: LeaseSpec = LeaseSpec()


class ConfigMapObject(Part, frozen=True):
    """v1 ConfigMap."""

    metadata: Meta
    data: dict[str, str] | None = None


class NamespaceStatus(Part, frozen=True):
    """status of a Namespace."""

    phase: str = ""
    conditions: list[ConditionPart] | None = None


class NamespaceObject(Part, frozen=True):
    """v1 Namespace."""

    metadata: Meta
    status: NamespaceStatus = NamespaceStatus()


class Expression(Part, frozen=True):
    """An entry of matchExpressions."""

    key: str
    operator: str
    values: list[str] | None = None


class Selector(Part, frozen=True):
    """A label selector."""

    match_labels: dict[str, str] | None = None
    match_expressions: list[Expression] | None = None


class Version(Part, frozen=True):
    """The answer of /version."""

    git_version: str


class Group(Part, frozen=True):
    """An API group's name."""

    name: str


class Groups(Part, frozen=True):
    """The answer of /apis: the groups that are served."""

    groups: list[Group]


class ReviewStatus(Part, frozen=True):
    """status of a SelfSubjectAccessReview."""

    allowed: bool = False


class Review(Part, frozen=True):
    """authorization.k8s.io/v1 SelfSubjectAccessReview."""

    status: ReviewStatus
