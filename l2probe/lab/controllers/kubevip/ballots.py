"""What kube-vip's instances know: which lease decides about which Services, and who may run for it.

pkg/services/leader.go and pkg/endpoints of kube-vip 1.0: with svc_election each Service has a lease in its own
namespace, for which a node runs while it has endpoints (policy Local: endpoints on itself; else any), and which its
holder releases when the last one went. Without, one lease decides for all, and endpoints are not looked at:
https://kube-vip.io/docs/usage/kubernetes-services/ (External Traffic Policy needs svc_election).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable

from l2probe.lab.controllers.election import holder_of
from l2probe.lab.controllers.frontends import usable
from l2probe.lab.controllers.knowledge import Place
from l2probe.lab.controllers.kubevip.cloud_provider import wanted_ips
from l2probe.lab.controllers.kubevip.manifests import GLOBAL_LEASE
from l2probe.lab.controllers.objects import Key, Obj, key_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.controllers.slices import Slices, differs
from l2probe.lab.controllers.system import SYSTEM
from l2probe.lab.driver import NodeDriver

ALL_SERVICES = Key(SYSTEM, GLOBAL_LEASE)
"""The one subject when one lease decides for all Services."""
CLASSES = (None, "", "kube-vip.io/kube-vip-class")


def served(service: Obj) -> bool:
    """Say whether kube-vip takes care of the Service: a LoadBalancer of its class, with an address written on it."""
    spec, going = service["spec"], service["metadata"].get("deletionTimestamp")
    ours = spec.get("type") == "LoadBalancer" and spec.get("loadBalancerClass") in CLASSES
    return bool(ours and not going and wanted_ips(service))


class Ballots:
    """One memory for all instances; `concerned` is called with each subject about which something changed."""

    def __init__(self, plane: Plane, concerned: Callable[[Key], None]) -> None:
        self._plane = plane
        self._concerned = concerned
        self._slices = Slices(self._tell)
        self._observed: dict[Key, float] = {}
        self._known: set[Key] = set()

    def subject(self, service: Key) -> Key:
        """Return what is decided about when it is decided about this Service."""
        return ALL_SERVICES if self._plane.profile.one_lease else service

    @property
    def subjects(self) -> frozenset[Key]:
        """All that was ever decided about."""
        return frozenset(self._known)

    def watch(self) -> None:
        """Start to learn; `concerned` is called for everything that is there already."""
        self._slices.watch(self._plane)
        self._plane.services.subscribe(self._service_changed)
        self._plane.leases.subscribe(self._lease_changed)

    def _tell(self, service: Key) -> None:
        self._known.add(self.subject(service))
        self._concerned(self.subject(service))

    def _service_changed(self, before: Obj | None, after: Obj | None) -> None:
        if differs(before, after, ("spec",), ("metadata", "annotations"), ("metadata", "deletionTimestamp")):
            self._tell(key_of(after or before or {}))

    def _lease_changed(self, before: Obj | None, after: Obj | None) -> None:
        key = key_of(after or before or {})
        self._observed[key] = asyncio.get_running_loop().time()
        # A renewal by the same holder asks nobody to act.
        if before is None or after is None or holder_of(before) != holder_of(after):
            for subject in tuple(self._known):
                if self.lease_key(subject) == key:
                    self._concerned(subject)

    def lease_key(self, subject: Key) -> Key:
        """Return the Lease that decides: in the Service's namespace, or the one for all."""
        return subject if subject == ALL_SERVICES else Key(subject.namespace, f"kubevip-{subject.name}")

    def lease(self, subject: Key) -> Obj | None:
        """Return that Lease, or None."""
        return self._plane.leases.get(self.lease_key(subject))

    def observed(self, subject: Key) -> float:
        """Return the loop's time at which it was last seen to change."""
        return self._observed.get(self.lease_key(subject), 0.0)

    def rank(self, subject: Key, node: str) -> int | None:
        """Return the node's place among the candidates; None when it does not run."""
        order = sorted(self._candidates(subject), key=lambda name: self._chance(subject, name))
        return order.index(node) if node in order else None

    def _chance(self, subject: Key, node: str) -> bytes:
        # Real instances race; a lab must play the same twice.
        text = f"{self._plane.profile.seed}/{subject.name}/{node}"
        return hashlib.blake2b(text.encode(), digest_size=8).digest()

    def _candidates(self, subject: Key) -> Iterable[str]:
        nodes = [node["metadata"]["name"] for node in self._plane.nodes]
        if subject == ALL_SERVICES:
            return nodes
        service = self._plane.services.get(subject)
        if service is None or not served(service):
            return ()
        there = {found.get("nodeName") for found in self._endpoints(subject)}
        if service["spec"].get("externalTrafficPolicy") == "Local":
            return [name for name in nodes if name in there]
        return nodes if there else ()

    def _endpoints(self, service: Key) -> list[Obj]:
        return [found for part in self._slices.of(service) for found in usable(part.get("endpoints") or ())]

    def places(self, subject: Key, node: NodeDriver) -> frozenset[Place]:
        """Return what a node puts on its NIC (vip_interface) when it holds the lease."""
        found = self._plane.services if subject == ALL_SERVICES else [self._plane.services.get(subject)]
        device = node.interfaces[0]
        return frozenset(
            (text, device) for service in found if service and served(service) for text in wanted_ips(service)
        )
