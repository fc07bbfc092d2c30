"""The cluster as faults see it: what they may change, and how each change is undone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from l2probe.lab.controllers.announcers import Announcers
from l2probe.lab.controllers.behaviour import HEALTHY, Behaviour
from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.client import CONFLICT, NOT_FOUND, ApiError
from l2probe.lab.controllers.datapath import Datapath
from l2probe.lab.controllers.kinds import Kind
from l2probe.lab.controllers.making import ensure
from l2probe.lab.controllers.objects import Key, Obj, key_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.driver import HARMLESS, Meddling, World

CONTENT = ("spec", "data")
"""What of an object a person writes."""
Undo = Callable[[], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Patient:
    """The cluster as faults see it. `undo`: what brings back each object that was deleted, changed or made.

    `allocator`: who gives addresses to Services.
    """

    plane: Plane
    world: World
    announcers: Announcers
    datapath: Datapath
    allocator: object
    behaviour: Behaviour = HEALTHY
    meddling: Meddling = HARMLESS
    undo: list[Undo] = field(default_factory=list)

    def behave(self, behaviour: Behaviour) -> None:
        """Let agents and datapath behave so from now on."""
        self.behaviour = behaviour
        self.datapath.behave(behaviour)
        self.announcers.behave(behaviour)

    async def meddle(self, meddling: Meddling) -> None:
        """Let the devices between the machines do so from now on."""
        self.meddling = meddling
        await self.world.path.meddle(meddling)

    async def take(self, cache: Cache) -> None:
        """Delete all objects of a kind, and return when everyone knows."""
        for obj in cache:
            self.undo.append(partial(self._make_again, cache.kind, obj))
            await self.plane.client.delete(cache.kind, key_of(obj))
        await cache.until(lambda: not len(cache))

    async def make(self, kind: Kind, obj: Obj) -> None:
        """Create an object; healing deletes it."""
        made = await ensure(self.plane.client, kind, obj)
        self.undo.append(partial(self.plane.client.delete, kind, key_of(made)))
        self._know(kind, made)

    async def change(self, kind: Kind, key: Key, patch: Obj) -> None:
        """Merge a patch into an object that healing makes as it was; nothing where there is no such object."""
        try:
            was = await self.plane.client.get(kind, key)
        except ApiError as refusal:
            if refusal.code != NOT_FOUND:
                raise
            return
        self.undo.append(partial(self._write_again, kind, was))
        self._know(kind, await self.plane.client.merge(kind, key, patch))

    async def restore(self) -> None:
        """Undo all that was done to objects, the last first."""
        while self.undo:
            await self.undo[-1]()
            self.undo.pop()

    def _know(self, kind: Kind, obj: Obj) -> None:
        """Let the controllers know at once what the watch will tell them."""
        for cache in self.plane.caches:
            if cache.kind == kind:
                cache.store(obj)

    async def _make_again(self, kind: Kind, obj: Obj) -> None:
        self._know(kind, await ensure(self.plane.client, kind, _fresh(obj)))

    async def _write_again(self, kind: Kind, was: Obj) -> None:
        while True:
            try:
                now = await self.plane.client.get(kind, key_of(was))
                self._know(kind, await self.plane.client.replace(kind, {**now, **_content(was)}))
            except ApiError as refusal:
                if refusal.code == NOT_FOUND:
                    return
                if refusal.code != CONFLICT:
                    raise
            else:
                return


Break = Callable[[Patient], Awaitable[None]]
"""How one fault is applied."""


def _content(obj: Obj) -> Obj:
    return {part: obj[part] for part in CONTENT if part in obj}


def _fresh(obj: Obj) -> Obj:
    wanted = ("name", "namespace", "labels", "annotations")
    kept = {key: value for key, value in obj["metadata"].items() if key in wanted}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": kept, **_content(obj)}
