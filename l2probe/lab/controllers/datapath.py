"""Keeps every node's datapath as Services and EndpointSlices say. `frontends` decides, the driver forwards."""

from __future__ import annotations

import asyncio

from l2probe.lab.controllers.behaviour import HEALTHY, Behaviour
from l2probe.lab.controllers.frontends import frontends
from l2probe.lab.controllers.objects import Obj, dig
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.driver import Frontend, NodeDriver

BATCH_SECONDS = 0.03
"""How long changes are gathered at most; a transaction of nft costs as much."""


class Datapath:
    """Programs all nodes side by side; changes that come meanwhile are programmed together afterwards."""

    def __init__(self, plane: Plane, nodes: tuple[NodeDriver, ...]) -> None:
        self._plane = plane
        self._nodes = nodes
        self._behaviour = HEALTHY
        self._programmed: tuple[Frontend, ...] | None = None
        self._queue = plane.queue(self._program)
        plane.services.subscribe(self._service_changed)
        plane.slices.subscribe(self._slice_changed)

    def behave(self, behaviour: Behaviour) -> None:
        """Forward so from now on."""
        self._behaviour = behaviour
        self._queue.add("all")

    def _service_changed(self, before: Obj | None, after: Obj | None) -> None:
        parts = ("spec", "status")
        if before is None or after is None or any(dig(before, part) != dig(after, part) for part in parts):
            self._queue.add("all")

    def _slice_changed(self, _before: Obj | None, _after: Obj | None) -> None:
        self._queue.add("all")

    async def _program(self, _key: str) -> None:
        await self._plane.activity.lull(BATCH_SECONDS)
        wanted = frontends(self._plane.services, self._plane.slices, self._plane.profile, self._behaviour)
        if wanted != self._programmed:
            await asyncio.gather(*(node.program(wanted) for node in self._nodes))
            self._programmed = wanted
