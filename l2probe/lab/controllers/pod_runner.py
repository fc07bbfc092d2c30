"""One Pod on one node: its place in the network, its containers, its end. Tells the kubelet when its status changed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from l2probe.lab.controllers.container import Container, Place
from l2probe.lab.controllers.events import Recorder
from l2probe.lab.controllers.objects import Obj, key_of, uid_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.controllers.pod_status import ContainerState
from l2probe.lab.driver import NodeDriver, PodLink

NO_NAMESPACE = -1


class PodRunner:
    """Starts at once; `end` stops it. `changed` is called when its containers' states changed."""

    def __init__(
        self, plane: Plane, node: NodeDriver, pod: Obj, *, recorder: Recorder, room: Path, changed: Callable[[], None]
    ) -> None:
        self.pod = pod
        self._plane = plane
        self._node = node
        self._recorder = recorder
        self._room = room
        self._changed = changed
        self._name = str(key_of(pod))
        self.link = self._attach()
        host = plane.own(node.addresses)[0]
        known = {**pod, "status": {**(pod.get("status") or {}), "hostIP": host}}
        self._made = tuple(Container(known, spec, self._place()) for spec in pod["spec"]["containers"])
        self._tasks = tuple(plane.tasks.start(container.run()) for container in self._made)
        plane.activity.begin()
        plane.tasks.start(self._settle())

    def _attach(self) -> PodLink:
        if self.pod["spec"].get("hostNetwork"):
            return PodLink(name=self._name, netns=NO_NAMESPACE, addresses=self._plane.own(self._node.addresses))
        link = self._node.attach_pod(self._name)
        return replace(link, addresses=self._plane.own(link.addresses))

    def _place(self) -> Place:
        return Place(
            client=self._plane.client,
            node=self._node,
            link=self.link,
            room=self._room,
            say=lambda happened: self._recorder.say(self.pod, happened),
            changed=lambda _: self._changed(),
        )

    async def _settle(self) -> None:
        try:
            await asyncio.gather(*(container.settled.wait() for container in self._made))
        finally:
            self._plane.activity.end()

    @property
    def states(self) -> tuple[ContainerState, ...]:
        """What is true of its containers now."""
        return tuple(container.state for container in self._made)

    @property
    def containers(self) -> dict[str, Container]:
        """Its containers by name."""
        return {container.state.name: container for container in self._made}

    async def end(self, grace: float) -> None:
        """Stop all containers within `grace` seconds and take the Pod's place in the network away."""
        pairs = zip(self._made, self._tasks, strict=True)
        await asyncio.gather(*(container.stop(task, grace) for container, task in pairs))
        if self.link.netns != NO_NAMESPACE:
            self._node.detach_pod(self._name)
        shutil.rmtree(self._room, ignore_errors=True)

    @property
    def uid(self) -> str:
        """The Pod's uid."""
        return uid_of(self.pod)
