"""Kubernetes objects -> the model. Pure; what an object does not say stays unsaid."""

from __future__ import annotations

import ipaddress
import socket
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from l2probe.announcers import cilium
from l2probe.announcers.lease import Lease
from l2probe.model import (
    AnnouncementPolicy,
    Backend,
    Condition,
    Datapath,
    Ip,
    Node,
    NodeName,
    Pool,
    Port,
    Protocol,
    Requirement,
    Service,
    TrafficPolicy,
)
from l2probe.observe import custom, objects
from l2probe.observe.refusals import one_line

LOAD_BALANCER = "LoadBalancer"
LOCAL = TrafficPolicy.LOCAL.value
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
BLOCKING_EFFECTS = frozenset({"NoSchedule", "NoExecute"})
PROTOCOLS = {protocol.value: protocol for protocol in Protocol}
NOTHING_SAID = objects.EndpointConditions()
Pairs = tuple[tuple[str, str], ...]
WANTED = (
    "lbipam.cilium.io/ips",
    "io.cilium/lb-ipam-ips",
    "metallb.io/loadBalancerIPs",
    "metallb.universe.tf/loadBalancerIPs",
    "kube-vip.io/loadbalancerIPs",
)
"""Annotations by which a Service asks for addresses, as a list with commas; spec.loadBalancerIP is the field."""
SHARING_KEYS = (
    "lbipam.cilium.io/sharing-key",
    "io.cilium/lb-ipam-sharing-key",
    "metallb.io/allow-shared-ip",
    "metallb.universe.tf/allow-shared-ip",
)
"""Annotations by which Services share an address with those of the same value."""

GLOBAL = ("service.cilium.io/global", "io.cilium/global-service")
"""Annotations of a Service that backends of other clusters serve too, today's and the older one
(https://docs.cilium.io/en/stable/network/clustermesh/services/)."""
RANGES_POLICY = "service.cilium.io/src-ranges-policy"
FORWARDING_MODE = "service.cilium.io/forwarding-mode"
FORWARDING = {mode.value: mode for mode in (Datapath.DSR, Datapath.SNAT)}
"""How a Service asks that loadBalancerSourceRanges refuse, and for a datapath mode of its own
(https://docs.cilium.io/en/stable/network/kubernetes/kubeproxy-free/)."""


def pairs(mapping: Mapping[str, str] | None) -> Pairs:
    """Return labels as sorted pairs."""
    return tuple(sorted(mapping.items())) if mapping else ()


def ip(text: str | None) -> Ip | None:
    """Return an address in canonical form; None for what is no address."""
    if text and _is_v4(text):
        return Ip(text)
    try:
        return Ip(str(ipaddress.ip_address(text or "")))
    except ValueError:
        return None


def _is_v4(text: str) -> bool:
    """Whether this is a dotted quad, which has one form only; thousands are told apart in no time (inet_pton(3))."""
    try:
        return bool(socket.inet_pton(socket.AF_INET, text))
    except (OSError, ValueError):
        return False


def ips(texts: Iterable[str | None]) -> tuple[Ip, ...]:
    """Return the addresses among the texts, in order, each once."""
    found = {address: None for text in texts if (address := ip(text)) is not None}
    return tuple(found)


def conditions(parts: Iterable[objects.ConditionPart] | None) -> tuple[Condition, ...]:
    """Return status conditions; whoever may write them must not write to our terminal."""
    if not parts:
        return ()
    return tuple(
        Condition(
            type=one_line(part.type),
            status=one_line(part.status),
            reason=one_line(part.reason or ""),
            message=one_line(part.message or ""),
        )
        for part in parts
    )


def node(item: objects.NodeObject) -> Node:
    """Return a Node; its addresses are the InternalIPs."""
    taints = tuple(
        (taint.key, taint.value or "", taint.effect)
        for taint in item.spec.taints or ()
        if taint.effect in BLOCKING_EFFECTS
    )
    return Node(
        name=NodeName(item.metadata.name),
        addresses=ips(entry.address for entry in item.status.addresses or () if entry.type == "InternalIP"),
        ready=any(part.type == "Ready" and part.status == "True" for part in item.status.conditions or ()),
        schedulable=not item.spec.unschedulable and not taints,
        labels=pairs(item.metadata.labels),
        taints=taints,
        pod_networks=tuple(item.spec.pod_cidrs or ()),
    )


def service(item: objects.ServiceObject, backends: tuple[Backend, ...] | None) -> Service:
    """Return a Service with its backends (None: EndpointSlices were not read)."""
    meta, spec, entries = item.metadata, item.spec, item.status.load_balancer.ingress or ()
    return Service(
        namespace=meta.namespace,
        name=meta.name,
        vips=ips([entry.ip for entry in entries]),
        policy=TrafficPolicy.LOCAL if spec.external_traffic_policy == LOCAL else TrafficPolicy.CLUSTER,
        load_balancer_class=spec.load_balancer_class,
        ports=ports(spec.ports or ()),
        conditions=conditions(item.status.conditions),
        backends=backends,
        labels=pairs(meta.labels),
        hostnames=tuple([one_line(entry.hostname) for entry in entries if entry.hostname]),
        wanted=wanted(item),
        sharing_key=sharing_key(meta.annotations),
        source_ranges=tuple([text.strip() for text in spec.load_balancer_source_ranges or ()]),
        selector=pairs(spec.selector),
        ranges_refuse=annotated(meta.annotations, RANGES_POLICY) == "deny",
        beyond="true" in [annotated(meta.annotations, key) for key in GLOBAL],
        forwarding=FORWARDING.get(annotated(meta.annotations, FORWARDING_MODE)),
    )


def annotated(annotations: Mapping[str, str] | None, key: str) -> str:
    """Return the value of one of Cilium's annotations, which are read without regard to case; "" without it."""
    return annotations[key].lower() if annotations and key in annotations else ""


def wanted(item: objects.ServiceObject) -> tuple[Ip, ...]:
    """Return the addresses that a Service asks for; "0.0.0.0" asks for any (kube-vip: by DHCP)."""
    annotations = item.metadata.annotations or {}
    if not item.spec.load_balancer_ip and (not annotations or annotations.keys().isdisjoint(WANTED)):
        return ()
    texts = [text for key in WANTED if key in annotations for text in annotations[key].split(",")]
    found = ips(text.strip() for text in (*texts, item.spec.load_balancer_ip or ""))
    return tuple(each for each in found if not ipaddress.ip_address(each).is_unspecified)


def sharing_key(annotations: Mapping[str, str] | None) -> str:
    """Return the key under which a Service may share its address; "" when it has none."""
    if not annotations:
        return ""
    return next((one_line(annotations[key]) for key in SHARING_KEYS if key in annotations), "")


def ports(parts: Sequence[objects.ServicePort]) -> tuple[Port, ...]:
    """Return the TCP and UDP ports; SCTP is not probed."""
    return tuple([_port(part.protocol, part.port, part.name) for part in parts if part.protocol in PROTOCOLS])


@lru_cache(1024)
def _port(protocol: str, number: int, name: str) -> Port:
    """Return the one Port of thousands of Services that have the same."""
    return Port(protocol=PROTOCOLS[protocol], port=number, name=name)


def backends(slices: Iterable[objects.SliceObject]) -> Mapping[tuple[str, str], tuple[Backend, ...]]:
    """Return the backends of each (namespace, Service); an address in several slices counts once."""
    found: dict[tuple[str, str], dict[Ip, Backend]] = defaultdict(dict)
    for item in slices:
        mine = found[item.metadata.namespace, (item.metadata.labels or {}).get(SERVICE_NAME_LABEL, "")]
        for endpoint in item.endpoints or ():
            for text in endpoint.addresses or ():
                if (address := ip(text)) is not None and address not in mine:
                    mine[address] = backend(address, endpoint)
    return {key: tuple(by_address.values()) for key, by_address in found.items()}


def backend(address: Ip, endpoint: objects.Endpoint) -> Backend:
    """Return one backend; unknown readiness means ready, unknown serving means as ready (EndpointSlice API)."""
    state = endpoint.conditions or NOTHING_SAID
    ready = state.ready is not False
    target = endpoint.target_ref
    return Backend(
        address=address,
        node=NodeName(endpoint.node_name) if endpoint.node_name else None,
        ready=ready,
        serving=ready if state.serving is None else state.serving,
        pod=target.name if target is not None and target.kind == "Pod" else None,
    )


def load_balancers(
    services: Iterable[objects.ServiceObject], slices: Iterable[objects.SliceObject] | None
) -> tuple[Service, ...]:
    """Return the LoadBalancer Services with their backends (None when slices is None), by namespace and name."""
    by_service = None if slices is None else backends(slices)
    found = (
        service(
            item,
            None if by_service is None else by_service.get((item.metadata.namespace, item.metadata.name), ()),
        )
        for item in services
        if item.spec.type == LOAD_BALANCER
    )
    return tuple(sorted(found, key=lambda each: (each.namespace, each.name)))


def lease(item: objects.LeaseObject) -> Lease:
    """Return a Lease."""
    spec = item.spec
    return Lease(
        namespace=item.metadata.namespace,
        name=item.metadata.name,
        holder=spec.holder_identity or "",
        acquired=seconds(spec.acquire_time),
        renewed=seconds(spec.renew_time),
        duration_seconds=spec.lease_duration_seconds,
        transitions=spec.lease_transitions,
    )


def seconds(moment: datetime | None) -> float | None:
    """Return a time as Unix seconds."""
    return None if moment is None else moment.timestamp()


def requirements(selector: objects.Selector | None) -> tuple[Requirement, ...] | None:
    """Return a selector's terms; None (no selector) selects all."""
    if selector is None:
        return None
    labels = (
        Requirement(key=key, operator="In", values=(value,))
        for key, value in sorted((selector.match_labels or {}).items())
    )
    terms = (
        Requirement(key=term.key, operator=term.operator, values=tuple(term.values or ()))
        for term in selector.match_expressions or ()
    )
    return (*labels, *terms)


def cilium_pool(item: custom.CiliumPool) -> Pool:
    """Return a CiliumLoadBalancerIPPool."""
    return cilium.pool(
        item.metadata.name,
        [cilium.block(block.cidr, block.start, block.stop) for block in item.spec.blocks or ()],
        conditions(item.status.conditions if item.status else None),
        disabled=item.spec.disabled,
    )


def cilium_policy(item: custom.CiliumPolicy) -> AnnouncementPolicy:
    """Return a CiliumL2AnnouncementPolicy; its conditions with status True are errors."""
    stated = conditions(item.status.conditions if item.status else None)
    return AnnouncementPolicy(
        name=item.metadata.name,
        load_balancer_ips=item.spec.load_balancer_ips,
        service_selector=requirements(item.spec.service_selector),
        node_selector=requirements(item.spec.node_selector),
        interfaces=tuple(item.spec.interfaces or ()),
        errors=tuple(condition for condition in stated if condition.status == "True"),
    )


def metallb_pool(item: custom.MetallbPool) -> Pool:
    """Return an IPAddressPool; `available` counts both families."""
    status = item.status
    counts = [] if status is None else [status.available_ipv4, status.available_ipv6]
    known = [count for count in counts if count is not None]
    return Pool(
        name=item.metadata.name,
        blocks=tuple(item.spec.addresses or ()),
        available=sum(known) if known else None,
    )


def advertisement(item: custom.Advertisement) -> tuple[AnnouncementPolicy, ...]:
    """Return an L2 or BGP advertisement as policies: one for each pair of its selectors, which are alternatives."""
    spec = item.spec
    everything: tuple[objects.Selector | None, ...] = (None,)
    return tuple(
        AnnouncementPolicy(
            name=item.metadata.name,
            load_balancer_ips=True,
            service_selector=requirements(services),
            node_selector=requirements(nodes),
            interfaces=tuple(spec.interfaces or ()),
            pools=tuple(spec.ip_address_pools or ()),
        )
        for nodes in spec.node_selectors or everything
        for services in spec.service_selectors or everything
    )
