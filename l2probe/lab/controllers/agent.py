"""One node's agent, as far as announcing goes: Cilium's election for each Service. Never answers ARP itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from l2probe.lab.controllers.behaviour import HEALTHY
from l2probe.lab.controllers.election import Seat, Step, held_spec, holder_of, step
from l2probe.lab.controllers.kinds import LEASE
from l2probe.lab.controllers.knowledge import Place
from l2probe.lab.controllers.objects import Key, Obj
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.driver import NodeDriver

DEAD_SECONDS = 600.0
"""For how long a dead agent has not renewed: far beyond any lease's duration."""
LATE_SECONDS = 6.5
"""How long an agent that is not prompt waits before it takes a lease that was let go."""
RESTLESS_SECONDS = 0.3
"""How long a restless agent holds a lease."""


class Ballots(Protocol):
    """What an agent must know about elections; each is about a subject: a Service, or all of them."""

    def lease_key(self, subject: Key) -> Key:
        """Return the Lease that decides."""
        ...

    def lease(self, subject: Key) -> Obj | None:
        """Return that Lease, or None."""
        ...

    def observed(self, subject: Key) -> float:
        """Return the loop's time at which it was last seen to change."""
        ...

    def rank(self, subject: Key, node: str) -> int | None:
        """Return the node's place among the candidates; None when it is none."""
        ...

    def places(self, subject: Key, node: NodeDriver) -> frozenset[Place]:
        """Return what the node answers for when it holds the lease, and on which of its interfaces."""
        ...


class Agent:
    """Holds leases and tells through `changed` that what it holds is another set of addresses now."""

    def __init__(self, plane: Plane, node: NodeDriver, knowledge: Ballots, changed: Callable[[], None]) -> None:
        self.node = node
        self.behaviour = HEALTHY
        self._plane = plane
        self._knowledge = knowledge
        self._changed = changed
        self._held: dict[Key, frozenset[Place]] = {}
        self._renewed: dict[Key, float] = {}
        self._since: dict[Key, float] = {}
        self._turns: dict[Key, float] = {}
        self._queue = plane.queue(self._reconcile)

    @property
    def places(self) -> frozenset[Place]:
        """The addresses of all Services whose lease it holds, each with the interfaces on which to answer for it."""
        return frozenset().union(*self._held.values())

    def look(self, service: Key) -> None:
        """Reconsider the Service: something about it changed."""
        self._queue.add(service)

    def revive(self) -> None:
        """Start anew, as a restarted agent: it has renewed nothing yet."""
        self._renewed.clear()

    async def _reconcile(self, service: Key) -> None:
        if not self.behaviour.alive:
            await self._decay(service)
            return
        taken = self._step(service)
        if taken.turn is None:
            self._turns.pop(service, None)
        else:
            self._turns[service] = taken.turn
        if taken.spec is not None:
            # Set before the write, so that an election goes on when the write is refused.
            self._queue.add_after(service, self._plane.profile.timers.retry)
            await self._write(service, taken.spec)
        self._hold(service, holds=taken.holds)
        self._plan(service, taken)

    def _step(self, service: Key) -> Step:
        seat = Seat(
            me=self.node.name,
            rank=self._knowledge.rank(service, self.node.name) if self.behaviour.announcing else None,
            now=asyncio.get_running_loop().time(),
            observed=self._knowledge.observed(service),
            renewed=self._renewed.get(service),
            turn=self._turns.get(service),
            until=self._since.get(service, float("inf")) + RESTLESS_SECONDS if self.behaviour.restless else None,
            late=0.0 if self.behaviour.prompt else LATE_SECONDS,
            timers=self._plane.profile.timers,
        )
        return step(self._knowledge.lease(service), seat, time.time())

    async def _write(self, service: Key, spec: Obj) -> None:
        lease, client = self._knowledge.lease(service), self._plane.client
        if lease is None:
            key = self._knowledge.lease_key(service)
            metadata = {"name": key.name, "namespace": key.namespace}
            fresh = {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": metadata, "spec": spec}
            written = await client.create(LEASE, fresh)
        else:
            written = await client.replace(LEASE, {**lease, "spec": spec})
        if holder_of(written) == self.node.name:
            self._renewed[service] = asyncio.get_running_loop().time()
            self._since.setdefault(service, self._renewed[service])
        else:
            self._renewed.pop(service, None)
            self._since.pop(service, None)
        self._plane.leases.store(written)

    def _plan(self, service: Key, taken: Step) -> None:
        if taken.again is None:
            self._queue.forget(service)
        else:
            self._queue.add_after(service, taken.again)

    def _hold(self, service: Key, *, holds: bool) -> None:
        found = self._knowledge.places(service, self.node) if holds else frozenset[Place]()
        if found == self._held.get(service, frozenset()):
            return
        if found:
            self._held[service] = found
        else:
            self._held.pop(service, None)
        self._changed()

    async def _decay(self, service: Key) -> None:
        """Leave the lease as an agent leaves it that died ten minutes ago while it held it: this one, or the ghost."""
        lease = self._knowledge.lease(service)
        first = not holder_of(lease) and self._knowledge.rank(service, self.node.name) == 0
        mine = holder_of(lease) == self.node.name and service in self._renewed
        if first or mine:
            await self._write(
                service, held_spec(None, self.behaviour.ghost or self.node.name, time.time() - DEAD_SECONDS)
            )
            self._renewed.pop(service, None)
