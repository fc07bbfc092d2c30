"""What all agents know about Services: candidates in their order, addresses, leases. Reads caches; writes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from l2probe.lab.controllers.cache import Changed
from l2probe.lab.controllers.election import holder_of, lease_key
from l2probe.lab.controllers.eligibility import View, addresses, candidates
from l2probe.lab.controllers.objects import Key, Obj, key_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.controllers.slices import Slices, differs
from l2probe.lab.driver import NodeDriver

Place = tuple[str, str]
"""An address, and the interface of a node on which it answers for it."""


class Knowledge:
    """One memory for the agents of all nodes, as each would see the same through its own watch.

    `concerned` is called with each Service for which something changed that may change who announces it.
    """

    def __init__(self, plane: Plane, concerned: Callable[[Key], None]) -> None:
        self._plane = plane
        self._concerned = concerned
        self._candidates: dict[Key, list[str]] = {}
        self._slices = Slices(lambda service: self._changed((service,)))
        self._by_lease: dict[Key, set[Key]] = {}
        self._observed: dict[Key, float] = {}

    def watch(self) -> None:
        """Start to learn; `concerned` is called for everything that is there already."""
        plane = self._plane
        self._slices.watch(plane)
        plane.services.subscribe(self._service_changed)
        plane.leases.subscribe(self._lease_changed)
        plane.policies.subscribe(self._everything_changed("spec"))
        plane.nodes.subscribe(self._everything_changed("metadata", "labels"))

    def _changed(self, services: Iterable[Key]) -> None:
        for key in tuple(services):
            self._candidates.pop(key, None)
            self._concerned(key)

    def _everything_changed(self, *path: str) -> Changed:
        def changed(before: Obj | None, after: Obj | None) -> None:
            if differs(before, after, path):
                self._changed(key_of(service) for service in self._plane.services)

        return changed

    def _service_changed(self, before: Obj | None, after: Obj | None) -> None:
        key = key_of(after or before or {})
        self._by_lease.setdefault(lease_key(key), set()).add(key)
        if differs(before, after, ("spec",), ("status", "loadBalancer"), ("metadata", "labels")):
            self._changed((key,))

    def _lease_changed(self, before: Obj | None, after: Obj | None) -> None:
        key = key_of(after or before or {})
        if after is None:
            self._forget(key)
            return
        self._observed[key] = asyncio.get_running_loop().time()
        # A renewal by the same holder asks nobody to act.
        if before is None or holder_of(before) != holder_of(after):
            for service in tuple(self._by_lease.get(key, ())):
                self._concerned(service)

    def _forget(self, lease: Key) -> None:
        self._observed.pop(lease, None)
        known = self._by_lease.get(lease, set())
        for service in tuple(known):
            if self._plane.services.get(service) is None:
                known.discard(service)
                self._slices.forget(service)
            self._changed((service,))

    @property
    def subjects(self) -> frozenset[Key]:
        """All Services that have a lease or may get one, and those that are gone and whose lease is still there."""
        return frozenset().union(*self._by_lease.values())

    def lease_key(self, service: Key) -> Key:
        """Return the Lease that decides about the Service."""
        return lease_key(service)

    def lease(self, service: Key) -> Obj | None:
        """Return the Service's Lease, or None."""
        return self._plane.leases.get(lease_key(service))

    def observed(self, service: Key) -> float:
        """Return the loop's time at which the lease was last seen to change."""
        return self._observed.get(lease_key(service), 0.0)

    def _view(self, service: Obj) -> View:
        return View(
            service=service,
            slices=self._slices.of(key_of(service)),
            policies=tuple(self._plane.policies),
            nodes=tuple(self._plane.nodes),
        )

    def rank(self, service: Key, node: str) -> int | None:
        """Return the node's place among the candidates for the Service's lease; None when it is none."""
        found = self._plane.services.get(service)
        if found is None:
            return None
        if service not in self._candidates:
            self._candidates[service] = candidates(self._view(found), self._plane.profile)
        order = self._candidates[service]
        return order.index(node) if node in order else None

    def places(self, service: Key, node: NodeDriver) -> frozenset[Place]:
        """Return what the node answers for when it holds the Service's lease, and on which of its interfaces."""
        found, where = self._plane.services.get(service), self._plane.nodes.get(Key("", node.name))
        if found is None or where is None:
            return frozenset()
        view, profile = self._view(found), self._plane.profile
        return frozenset(
            (address, device) for device in node.interfaces for address in addresses(view, where, (device,), profile)
        )
