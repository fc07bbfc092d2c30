"""The stage of one run: everything that its trials share once the objects exist. No trial is decided here."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from l2probe.errors import ClusterError
from l2probe.model import Backend, Claim, Exchange, Ip, NeighbourReply, NodeName, Pod, Service
from l2probe.run.edges import Edges, Live, Snapshot, Traffic, Wire
from l2probe.run.plan import Plan
from l2probe.run.preflight import Ground
from l2probe.run.waiting import missing, settle
from l2probe.workload import manifests

ENDPOINT_SECONDS = 15.0
"""How long EndpointSlices may take to follow a selector; the controller batches for a second at most."""
CLAIM_RESOURCES = frozenset({"leases", "servicel2statuses"})
"""Where announcers say that they announce: Cilium and kube-vip, MetalLB."""
EXTRA_POD_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What trials work with. `node_replies` map MACs to nodes.

    `wire` is where addresses are asked for, None where nobody could answer; `frames` is where traffic is seen all the
    same. Both are None without a raw socket.
    """

    edges: Edges
    plan: Plan
    ground: Ground
    live: Live
    traffic: Traffic
    wire: Wire | None
    frames: Wire | None
    node_replies: tuple[NeighbourReply, ...] | None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def service(self, name: str) -> Service:
        """Return our Service as it is now; raises ClusterError when somebody removed it."""
        return _service(self.live.snapshot(), name, self.plan.workload.namespace)

    def claims(self, name: str) -> tuple[Claim, ...] | None:
        """Return what the control plane said about a Service's announcer, oldest first; None: we may not read it."""
        found = tuple(self.live.snapshot().claims.get(name, ()))
        hidden = any(right.resource in CLAIM_RESOURCES for right in self.ground.cluster.missing_rights)
        return None if hidden and not found else found

    def holder(self, name: str) -> NodeName | None:
        """Return the claimed announcer."""
        claims = self.claims(name)
        return claims[-1].holder if claims else None

    def mapped(self, replies: Sequence[NeighbourReply]) -> tuple[NeighbourReply, ...]:
        """Return the replies with nodes filled in."""
        return self.edges.map_nodes(replies, self.node_replies or (), self.ground.nodes)

    def heard(self, vips: Collection[Ip], since: float) -> tuple[NeighbourReply, ...] | None:
        """Return what the wire told about these addresses since a Unix time; None without a wire."""
        if self.wire is None:
            return None
        return self.mapped([reply for reply in self.wire.neighbours(vips) if reply.at >= since])

    def annotated(self, exchanges: Sequence[Exchange]) -> tuple[Exchange, ...]:
        """Return the exchanges with what their frames showed, and with the node of a Pod that does not say its own."""
        nodes = {pod.name: pod.node for pod in self.live.snapshot().pods}
        seen = self.frames.annotate(exchanges) if self.frames else exchanges
        return tuple(replace(one, node=one.node or nodes.get(one.pod or "")) for one in seen)

    def ready_pods(self) -> tuple[Pod, ...]:
        """Return our Pods that can answer."""
        return tuple(pod for pod in self.live.snapshot().pods if pod.ready and pod.node is not None)

    def pod_on(self, node: NodeName) -> Pod | str:
        """Return an echo Pod on this node, started for the purpose if need be; a text says why there is none."""
        with self.lock:
            for pod in self.ready_pods():
                if pod.node == node:
                    return pod
            return self._start_pod(node)

    def pod_off(self, nodes: Collection[NodeName]) -> Pod | str:
        """Return an echo Pod on none of these nodes; a text says why there is none."""
        for pod in self.ready_pods():
            if pod.node not in nodes:
                return pod
        return f"No echo Pod ran on a node other than {', '.join(sorted(nodes))}."

    def _start_pod(self, node: NodeName) -> Pod | str:
        spots = [spot for spot in self.plan.eligible(self.ground.nodes) if spot.name == node]
        if not spots:
            return f"The announcer {node} takes no echo Pod: not ready, cordoned, tainted or not selected."
        name = f"echo-on-{len(self.live.snapshot().pods) + 1}"
        hostname = manifests.hostname_of(node, spots[0].labels)
        self.edges.api.create(manifests.pod(self.plan.workload, name, hostname))
        cluster = self.ground.cluster
        left = settle(
            self.edges, self.live, lambda seen: missing(seen, cluster, (), (name,)), timeout=EXTRA_POD_SECONDS
        )
        found = [pod for pod in self.ready_pods() if pod.name == name]
        return found[0] if found else f"An echo Pod on {node} did not start: {'; '.join(map(str, left))}."

    def point(self, name: str, pods: Sequence[Pod]) -> bool:
        """Point a Service at exactly these Pods (or all); True once the EndpointSlices show exactly them as ready."""
        namespace = self.plan.workload.namespace
        chosen = pods[0].name if len(pods) == 1 else None
        self.edges.api.select(namespace, name, manifests.pod_selector(self.plan.workload, chosen))
        wanted = frozenset(pod.name for pod in pods)
        seen = self.live.until(
            lambda snapshot: True if ready_backends(_service(snapshot, name, namespace)) == wanted else None,
            timeout=ENDPOINT_SECONDS,
            interrupted=self.edges.interrupted,
        )
        self.edges.check()
        return seen is not None


def ready_backends(service: Service) -> frozenset[str | None]:
    """Return the names of the Pods that a Service's EndpointSlices show as ready."""
    return frozenset(backend.pod for backend in service.backends or () if backend.ready)


def backend_of(service: Service, pod: Pod) -> Backend:
    """Return the Pod as a backend, from the EndpointSlices or else from the Pod itself."""
    for backend in service.backends or ():
        if backend.pod == pod.name:
            return backend
    address = pod.addresses[0] if pod.addresses else Ip("")
    return Backend(address=address, node=pod.node, ready=pod.ready, pod=pod.name)


def _service(snapshot: Snapshot, name: str, namespace: str) -> Service:
    for service in snapshot.services:
        if service.name == name:
            return service
    raise ClusterError(f"Service {namespace}/{name} was gone before its trial ended.", "Did somebody delete it?")
