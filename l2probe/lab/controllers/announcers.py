"""The agents of all nodes and what they make their nodes answer for, truly or as a fault wants it."""

from __future__ import annotations

from collections.abc import Mapping

from l2probe.lab.controllers.allocation import ingress_of
from l2probe.lab.controllers.behaviour import HEALTHY, Behaviour
from l2probe.lab.controllers.crew import Hire
from l2probe.lab.controllers.knowledge import Place
from l2probe.lab.controllers.objects import Key, Obj, dig
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.driver import NodeDriver, World

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


def left_behind(answers: Answers, before: Mapping[str, str], behaviour: Behaviour) -> dict[str, str]:
    """Return on whose NIC each address was left: first on the next node after its announcer, and there it stays."""
    names = tuple(answers)
    fresh = {
        address: names[(place + 1) % len(names)]
        for place, name in enumerate(names)
        for address in _addresses(answers[name])
    }
    return {**fresh, **before} if behaviour.stale else {}


class Announcers:
    """Runs one announcer a node and hands the outcome to the drivers, whenever it changed."""

    def __init__(self, plane: Plane, world: World, hire: Hire) -> None:
        self._plane = plane
        self._world = world
        self._behaviour = HEALTHY
        self._crew = hire(plane, world, self._look, self._apply)
        self._answers: dict[str, frozenset[Place]] = {}
        self._foreign: frozenset[str] = frozenset()
        self._dropped: dict[str, frozenset[str]] = {}
        self._drops = plane.queue(self._drop)
        self._owned: dict[str, frozenset[str]] = {}
        self._left: dict[str, str] = {}
        self._owns = plane.queue(self._own)
        self._crew.memory.watch()
        plane.services.subscribe(self._service_changed)

    def behave(self, behaviour: Behaviour) -> None:
        """Behave so from now on, for the Services of today and those to come."""
        was, self._behaviour = self._behaviour, behaviour
        for member in self._crew.members:
            if behaviour.alive and not was.alive:
                member.revive()
            member.behaviour = behaviour
            member.node.heed(broadcast=behaviour.broadcast, multicast=behaviour.multicast)
        if (behaviour.alive, behaviour.announcing) != (was.alive, was.announcing):
            self.look()
        self._apply()

    def look(self) -> None:
        """Let every member reconsider everything: something about the nodes changed that no watch tells."""
        for subject in self._crew.memory.subjects:
            self._look(subject)

    def _look(self, subject: Key) -> None:
        for member in self._crew.members:
            member.look(subject)

    def _service_changed(self, before: Obj | None, after: Obj | None) -> None:
        if self._behaviour.everyone and dig(before, "status") != dig(after, "status"):
            self._apply()

    def _apply(self) -> None:
        held = {member.node.name: member.places for member in self._crew.members}
        answers = answering(held, self._behaviour)
        self._left = left_behind(answers, self._left, self._behaviour)
        for node in self._world.nodes:
            self._owns.add(node.name)
            if answers[node.name] != self._answers.get(node.name, _NOTHING):
                self._announce(node, answers[node.name])
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

    def _announce(self, node: NodeDriver, places: frozenset[Place]) -> None:
        for device in () if self._crew.by_kernel else node.interfaces:
            told = _addresses(places, device)
            gratuitous = self._behaviour.gratuitous
            node.announce(told, gratuitous=gratuitous, device=device, telling=self._crew.telling)

    async def _own(self, name: str) -> None:
        """Put on the node's NIC what is there instead of being announced."""
        told = _addresses(self._answers[name]) if self._crew.by_kernel else frozenset[str]()
        wanted = told | {address for address, where in self._left.items() if where == name}
        if self._behaviour.everyone:
            wanted |= {str(address) for service in self._plane.services for address in ingress_of(service)}
        node = next(node for node in self._world.nodes if node.name == name)
        if wanted != self._owned.get(name, frozenset()):
            await node.own(wanted)
            self._owned[name] = wanted
        if self._crew.by_kernel:
            node.tell(told if self._behaviour.gratuitous else frozenset(), self._crew.telling)

    async def _drop(self, name: str) -> None:
        wanted = _addresses(self._answers[name]) if self._behaviour.dropping else frozenset[str]()
        if wanted != self._dropped.get(name, frozenset()):
            node = next(node for node in self._world.nodes if node.name == name)
            await node.drop_traffic(wanted)
            self._dropped[name] = wanted
