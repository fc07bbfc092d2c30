"""The agents of all nodes and what they make their nodes answer for, truly or as a fault wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from l2probe.lab.controllers.agent import Agent
from l2probe.lab.controllers.behaviour import HEALTHY, Behaviour
from l2probe.lab.controllers.election import NAMESPACE, holder_of
from l2probe.lab.controllers.kinds import LEASE
from l2probe.lab.controllers.knowledge import Knowledge, Place
from l2probe.lab.controllers.objects import Key, key_of, uid_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.driver import World

LEASE_PREFIX = "cilium-l2announce"
COLLECT_SECONDS = 60.0
"""How often Cilium removes leases that nobody holds."""

Answers = Mapping[str, frozenset[Place]]
"""Node name -> what it answers for, and where."""
_NOTHING: frozenset[Place] = frozenset()


def answering(held: Answers, behaviour: Behaviour) -> dict[str, frozenset[Place]]:
    """Return who answers for what, given who holds what; a second or another announcer is the next node in order."""
    if not (behaviour.answering and behaviour.alive):
        return dict.fromkeys(held, _NOTHING)
    names = tuple(held)
    before = {name: held[names[place - 1]] for place, name in enumerate(names)}
    own = {name: _NOTHING if behaviour.displaced else held[name] for name in names}
    others = before if behaviour.duplicated or behaviour.displaced else dict.fromkeys(names, _NOTHING)
    return {name: own[name] | others[name] for name in names}


def _addresses(places: frozenset[Place], device: str | None = None) -> frozenset[str]:
    return frozenset(address for address, where in places if device in {None, where})


class Announcers:
    """Runs one agent a node and hands the outcome to the drivers, whenever it changed."""

    def __init__(self, plane: Plane, world: World) -> None:
        self._plane = plane
        self._world = world
        self._behaviour = HEALTHY
        self._knowledge = Knowledge(plane, self._look)
        self._agents = tuple(Agent(plane, node, self._knowledge, self._apply) for node in world.nodes)
        self._answers: dict[str, frozenset[Place]] = {}
        self._foreign: frozenset[str] = frozenset()
        self._dropped: dict[str, frozenset[str]] = {}
        self._drops = plane.queue(self._drop)
        self._knowledge.watch()
        plane.tasks.start(self._collect())

    def behave(self, behaviour: Behaviour) -> None:
        """Behave so from now on, for the Services of today and those to come."""
        was, self._behaviour = self._behaviour, behaviour
        for agent in self._agents:
            if behaviour.alive and not was.alive:
                agent.revive()
            agent.alive, agent.announcing, agent.ghost = behaviour.alive, behaviour.announcing, behaviour.ghost
            agent.node.heed(broadcast=behaviour.broadcast, multicast=behaviour.multicast)
        if (behaviour.alive, behaviour.announcing) != (was.alive, was.announcing):
            self.look()
        self._apply()

    def look(self) -> None:
        """Let every agent reconsider every Service: something about the nodes changed that no watch tells."""
        for service in self._knowledge.services:
            self._look(service)

    def _look(self, service: Key) -> None:
        for agent in self._agents:
            agent.look(service)

    def _apply(self) -> None:
        held = {agent.node.name: agent.places for agent in self._agents}
        answers = answering(held, self._behaviour)
        for node in self._world.nodes:
            if answers[node.name] != self._answers.get(node.name, _NOTHING):
                for device in node.interfaces:
                    node.announce(_addresses(answers[node.name], device), device=device)
                self._drops.add(node.name)
        self._answers = answers
        everything = _addresses(_NOTHING.union(*answers.values()))
        foreign = everything if self._behaviour.foreign else frozenset[str]()
        if foreign != self._foreign:
            self._world.switch.foreign(foreign)
            self._foreign = foreign
        if self._behaviour.dropping != bool(any(self._dropped.values())):
            for node in self._world.nodes:
                self._drops.add(node.name)

    async def _drop(self, name: str) -> None:
        wanted = _addresses(self._answers[name]) if self._behaviour.dropping else frozenset[str]()
        if wanted != self._dropped.get(name, frozenset()):
            node = next(node for node in self._world.nodes if node.name == name)
            await node.drop_traffic(wanted)
            self._dropped[name] = wanted

    async def _collect(self) -> None:
        while True:
            await asyncio.sleep(COLLECT_SECONDS)
            for lease in self._plane.leases:
                key = key_of(lease)
                if key.namespace == NAMESPACE and key.name.startswith(LEASE_PREFIX) and not holder_of(lease):
                    await self._plane.client.delete(LEASE, key, uid=uid_of(lease))
