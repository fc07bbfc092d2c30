"""MetalLB's speakers: each announces what falls to its node, and writes a ServiceL2Status about it, without a lease."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from l2probe.lab.controllers.behaviour import HEALTHY
from l2probe.lab.controllers.cache import Cache, Changed
from l2probe.lab.controllers.crew import Crew
from l2probe.lab.controllers.events import Happened, Recorder
from l2probe.lab.controllers.kinds import L2_STATUS
from l2probe.lab.controllers.knowledge import Place
from l2probe.lab.controllers.metallb.allocation import read_pools
from l2probe.lab.controllers.metallb.election import View, addresses_on, announcer
from l2probe.lab.controllers.metallb.manifests import SPEAKER, SYSTEM
from l2probe.lab.controllers.objects import Key, Obj, key_of, labels_of, uid_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.controllers.slices import Slices, differs
from l2probe.lab.driver import NodeDriver, Telling, World

TELLING = Telling(rounds=5, pause=1.1, operations=((1, 2),), frame_bytes=60, overrides=False)
"""Recorded (announce-first.pcap): a request and a reply each 1.1 s, five times, padded to 60 bytes."""
NODE, NAME, NAMESPACE = "metallb.io/node", "metallb.io/service-name", "metallb.io/service-namespace"


class Memory:
    """What every speaker sees through its own watch; `concerned` is called with each Service that may move."""

    def __init__(self, plane: Plane, concerned: Callable[[Key], None]) -> None:
        self._plane = plane
        self._concerned = concerned
        self._slices = Slices(lambda service: self._tell((service,)))
        self._known: set[Key] = set()

    @property
    def subjects(self) -> frozenset[Key]:
        """All Services that are or were there."""
        return frozenset(self._known)

    def watch(self) -> None:
        """Start to learn; `concerned` is called for everything that is there already."""
        plane = self._plane
        self._slices.watch(plane)
        plane.services.subscribe(self._service_changed)
        plane.policies.subscribe(self._everything_changed(("spec",)))
        plane.pools.subscribe(self._everything_changed(("spec",), ("metadata", "labels")))
        plane.nodes.subscribe(self._everything_changed(("metadata", "labels"), ("status", "conditions")))

    def _tell(self, services: Iterable[Key]) -> None:
        for key in tuple(services):
            self._known.add(key)
            self._concerned(key)

    def _everything_changed(self, *paths: tuple[str, ...]) -> Changed:
        def changed(before: Obj | None, after: Obj | None) -> None:
            if differs(before, after, *paths):
                self._tell(key_of(service) for service in self._plane.services)

        return changed

    def _service_changed(self, before: Obj | None, after: Obj | None) -> None:
        if differs(before, after, ("spec",), ("status", "loadBalancer")):
            self._tell((key_of(after or before or {}),))

    def view(self, service: Key) -> View | None:
        """Return what there is to know about a Service; None when it is gone or going."""
        found = self._plane.services.get(service)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return None
        return View(
            service=found,
            slices=self._slices.of(service),
            advertisements=tuple(self._plane.policies),
            pools=read_pools(self._plane.pools),
            nodes=tuple(self._plane.nodes),
        )


class Speaker:
    """One node's speaker; tells through `changed` that what it announces is another set of addresses now."""

    def __init__(
        self, plane: Plane, node: NodeDriver, memory: Memory, statuses: Cache, changed: Callable[[], None]
    ) -> None:
        self.node = node
        self.behaviour = HEALTHY
        self._plane = plane
        self._memory = memory
        self._statuses = statuses
        self._changed = changed
        self._held: dict[Key, frozenset[Place]] = {}
        self._recorder = Recorder(plane, "metallb-speaker")
        self._queue = plane.queue(self._reconcile)

    @property
    def places(self) -> frozenset[Place]:
        """The addresses of all Services that it announces, each with the interfaces on which it does."""
        return frozenset().union(*self._held.values())

    def look(self, service: Key) -> None:
        """Reconsider the Service: something about it changed."""
        self._queue.add(service)

    def revive(self) -> None:
        """Start anew: it holds nothing that a restart would lose."""

    async def _reconcile(self, service: Key) -> None:
        if not self.behaviour.alive:
            return
        view = self._memory.view(service)
        mine = view is not None and self.behaviour.announcing and announcer(view) == self.node.name
        found = self._of(view) if view is not None and mine else frozenset[Place]()
        if found != self._held.get(service, frozenset()):
            self._held = {key: value for key, value in self._held.items() if key != service}
            self._held |= {service: found} if found else {}
            self._changed()
        await self._report(service, view, announced=bool(found))

    def _of(self, view: View) -> frozenset[Place]:
        where = self._plane.nodes.get(Key("", self.node.name))
        devices = self.node.interfaces if where is not None else ()
        return frozenset(
            (address, device) for device in devices for address in addresses_on(view, where or {}, (device,))
        )

    async def _report(self, service: Key, view: View | None, *, announced: bool) -> None:
        await self._statuses.synced.wait()
        mine = [found for found in self._statuses if self._labels(service).items() <= labels_of(found).items()]
        if announced and view is not None and not mine:
            await self._write(service)
            message = f'announcing from node "{self.node.name}" with protocol "layer2"'
            self._recorder.say(view.service, Happened(reason="nodeAssigned", message=message))
        for found in () if announced else mine:
            await self._plane.client.delete(L2_STATUS, key_of(found), uid=uid_of(found))

    def _labels(self, service: Key) -> dict[str, str]:
        return {NODE: self.node.name, NAME: service.name, NAMESPACE: service.namespace}

    async def _write(self, service: Key) -> None:
        metadata = {"generateName": "l2-", "namespace": SYSTEM, "labels": self._labels(service)}
        owner = {"ownerReferences": self._owners()}
        fresh = {"apiVersion": L2_STATUS.api_version, "kind": L2_STATUS.name, "metadata": metadata | owner, "spec": {}}
        made = await self._plane.client.create(L2_STATUS, fresh)
        self._statuses.store(made)
        status = {"node": self.node.name, "serviceName": service.name, "serviceNamespace": service.namespace}
        patch = {"status": status}
        done = await self._plane.client.merge(L2_STATUS, key_of(made), patch, subresource="status", manager="speaker")
        self._statuses.store(done)

    def _owners(self) -> list[Obj]:
        return [
            {"apiVersion": "v1", "kind": "Pod", "name": pod["metadata"]["name"], "uid": uid_of(pod)}
            for pod in self._plane.pods
            if SPEAKER.items() <= labels_of(pod).items() and pod["spec"].get("nodeName") == self.node.name
        ]


def hire(plane: Plane, world: World, concerned: Callable[[Key], None], changed: Callable[[], None]) -> Crew:
    """Return one speaker for each node."""
    memory, statuses = Memory(plane, concerned), Cache(plane.client, L2_STATUS)

    def gone(before: Obj | None, after: Obj | None) -> None:
        # Who came to announce again while the old object still went must write a new one.
        if before is not None and after is None:
            concerned(Key(labels_of(before).get(NAMESPACE, ""), labels_of(before).get(NAME, "")))

    statuses.subscribe(gone)
    plane.tasks.start(statuses.run())
    members = tuple(Speaker(plane, node, memory, statuses, changed) for node in world.nodes)
    return Crew(memory=memory, members=members, telling=TELLING)
