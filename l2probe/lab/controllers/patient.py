"""The cluster as faults see it: what they may change, and what healing must bring back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from l2probe.lab.controllers.announcers import Announcers
from l2probe.lab.controllers.behaviour import HEALTHY, Behaviour
from l2probe.lab.controllers.bootstrap import ensure
from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.datapath import Datapath
from l2probe.lab.controllers.objects import Obj, key_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.driver import World


@dataclass(slots=True, kw_only=True)
class Patient:
    """The cluster as faults see it. `taken`: deleted objects that healing brings back, each with its informer."""

    plane: Plane
    world: World
    announcers: Announcers
    datapath: Datapath
    behaviour: Behaviour = HEALTHY
    taken: list[tuple[Cache, Obj]] = field(default_factory=list)

    def behave(self, behaviour: Behaviour) -> None:
        """Let agents and datapath behave so from now on."""
        self.behaviour = behaviour
        self.datapath.behave(behaviour)
        self.announcers.behave(behaviour)

    async def take(self, cache: Cache) -> None:
        """Delete all objects of a kind, and return when everyone knows."""
        for obj in cache:
            self.taken.append((cache, obj))
            await self.plane.client.delete(cache.kind, key_of(obj))
        await cache.until(lambda: not len(cache))

    async def restore(self) -> None:
        """Make again what was deleted."""
        while self.taken:
            cache, obj = self.taken[-1]
            cache.store(await ensure(self.plane.client, cache.kind, _fresh(obj)))
            self.taken.pop()


Break = Callable[[Patient], Awaitable[None]]
"""How one fault is applied."""


def _fresh(obj: Obj) -> Obj:
    kept = {key: value for key, value in obj["metadata"].items() if key in ("name", "labels", "annotations")}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": kept, "spec": obj["spec"]}
