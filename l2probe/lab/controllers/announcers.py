"""The agents of all nodes and what they make their nodes answer for, truly or as a fault wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from l2probe.lab.controllers.agent import Agent
from l2probe.lab.controllers.behaviour import HEALTHY, Behaviour
from l2probe.lab.controllers.election import NAMESPACE, holder_of
from l2probe.lab.controllers.kinds import LEASE
from l2probe.lab.controllers.knowledge import Knowledge
from l2probe.lab.controllers.objects import Key, key_of, uid_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.driver import World

LEASE_PREFIX = "cilium-l2announce"
COLLECT_SECONDS = 60.0
"""How often Cilium removes leases that nobody holds."""

Answers = Mapping[str, frozenset[str]]
"""Node name -> addresses."""


def answering(held: Answers, behaviour: Behaviour) -> dict[str, frozenset[str]]:
    """Return who answers for what, given who holds what; a second announcer is the next node in order."""
    if not (behaviour.answering and behaviour.alive):
        return dict.fromkeys(held, frozenset())
    if not behaviour.duplicated:
        return dict(held)
    names = tuple(held)
    return {name: held[name] | held[names[place - 1]] for place, name in enumerate(names)}


class Announcers:
    """Runs one agent a node and hands the outcome to the drivers, whenever it changed."""

    def __init__(self, plane: Plane, world: World) -> None:
        self._plane = plane
        self._world = world
        self._behaviour = HEALTHY
        self._knowledge = Knowledge(plane, self._look)
        self._agents = tuple(Agent(plane, node, self._knowledge, self._apply) for node in world.nodes)
        self._answers: dict[str, frozenset[str]] = {}
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
            agent.alive = behaviour.alive
        if behaviour.alive != was.alive:
            for service in self._knowledge.services:
                self._look(service)
        self._apply()

    def _look(self, service: Key) -> None:
        for agent in self._agents:
            agent.look(service)

    def _apply(self) -> None:
        held = {agent.node.name: agent.addresses for agent in self._agents}
        answers = answering(held, self._behaviour)
        for node in self._world.nodes:
            if answers[node.name] != self._answers.get(node.name, frozenset()):
                node.announce(answers[node.name], gratuitous=True)
                self._drops.add(node.name)
        self._answers = answers
        foreign = frozenset().union(*answers.values()) if self._behaviour.foreign else frozenset[str]()
        if foreign != self._foreign:
            self._world.switch.foreign(foreign)
            self._foreign = foreign
        if self._behaviour.dropping != bool(any(self._dropped.values())):
            for node in self._world.nodes:
                self._drops.add(node.name)

    async def _drop(self, name: str) -> None:
        wanted = self._answers[name] if self._behaviour.dropping else frozenset[str]()
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
