"""kube-vip's instances: whoever holds a lease puts the addresses on its NIC and writes itself on the Service."""

from __future__ import annotations

from collections.abc import Callable

from l2probe.lab.controllers.agent import Agent
from l2probe.lab.controllers.client import NOT_FOUND, ApiError
from l2probe.lab.controllers.crew import Crew
from l2probe.lab.controllers.election import holder_of
from l2probe.lab.controllers.kinds import SERVICE
from l2probe.lab.controllers.kubevip.ballots import ALL_SERVICES, Ballots, served
from l2probe.lab.controllers.kubevip.cloud_provider import wanted_ips
from l2probe.lab.controllers.objects import Key, Obj, annotations_of, dig, key_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.driver import Telling, World

TELLING = Telling(rounds=None, pause=3.0, operations=((2,), (1,)))
"""pkg/vip/arp.go: reply and request in turn, for as long as it leads; vip_arpRate is 3000 ms."""
HOST = "kube-vip.io/vipHost"


def ingress(service: Obj) -> list[Obj]:
    """Return the status that the leader writes: each address with the Service's ports."""
    ports = [
        {"port": port["port"], "protocol": port.get("protocol", "TCP")} for port in service["spec"].get("ports") or ()
    ]
    return [{"ip": text, "ipMode": "VIP", "ports": ports} for text in wanted_ips(service)]


class Leaders:
    """Writes on each Service who leads, when that changes; what a leader wrote stays when it stops to lead."""

    def __init__(self, plane: Plane, ballots: Ballots) -> None:
        self._plane = plane
        self._ballots = ballots
        self._queue = plane.queue(self._reconcile)

    def look(self, subject: Key) -> None:
        """Reconsider: something about the subject changed."""
        for service in self._plane.services if subject == ALL_SERVICES else ():
            self._queue.add(key_of(service))
        if subject != ALL_SERVICES:
            self._queue.add(subject)

    async def _reconcile(self, key: Key) -> None:
        service = self._plane.services.get(key)
        leader = holder_of(self._ballots.lease(self._ballots.subject(key)))
        if service is None or not leader or not served(service):
            return
        if annotations_of(service).get(HOST) != leader:
            await self._merge(key, {"metadata": {"annotations": {HOST: leader}}})
        if dig(service, "status", "loadBalancer", "ingress") != ingress(service):
            await self._merge(key, {"status": {"loadBalancer": {"ingress": ingress(service)}}}, subresource="status")

    async def _merge(self, key: Key, patch: Obj, *, subresource: str = "") -> None:
        client = self._plane.client
        try:
            done = await client.merge(SERVICE, key, patch, subresource=subresource, manager="kube-vip")
        except ApiError as refusal:
            if refusal.code != NOT_FOUND:
                raise
            return
        self._plane.services.store(done)


def hire(plane: Plane, world: World, concerned: Callable[[Key], None], changed: Callable[[], None]) -> Crew:
    """Return one instance for each node."""

    def told(subject: Key) -> None:
        concerned(subject)
        leaders.look(subject)

    ballots = Ballots(plane, told)
    leaders = Leaders(plane, ballots)
    members = tuple(Agent(plane, node, ballots, changed) for node in world.nodes)
    return Crew(memory=ballots, members=members, telling=TELLING, by_kernel=True)
