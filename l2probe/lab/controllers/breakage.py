"""Breaks a running cluster in the ways of `lab.faults`, and mends it: one small function for each, in one table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypedDict, Unpack

from l2probe.errors import UsageError
from l2probe.lab.controllers.announcers import Announcers
from l2probe.lab.controllers.behaviour import HEALTHY, Behaviour
from l2probe.lab.controllers.bootstrap import ensure
from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.datapath import Datapath
from l2probe.lab.controllers.objects import Obj, key_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.driver import World

MTU_BYTES = 1400
LOSS_PERCENT = 30


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


Break = Callable[[Patient], Awaitable[None]]


class _Change(TypedDict, total=False):
    answering: bool
    duplicated: bool
    foreign: bool
    dropping: bool
    alive: bool
    dsr: bool


def _behaving(**change: Unpack[_Change]) -> Break:
    async def apply(patient: Patient) -> None:
        patient.behave(replace(patient.behaviour, **change))

    return apply


async def _shrink(patient: Patient) -> None:
    await patient.world.switch.limit_frames(None, MTU_BYTES)


async def _lose(patient: Patient) -> None:
    await patient.world.switch.lose(None, LOSS_PERCENT)


async def _no_policy(patient: Patient) -> None:
    await patient.take(patient.plane.policies)


async def _no_pool(patient: Patient) -> None:
    await patient.take(patient.plane.pools)


BREAKS: Mapping[str, Break] = {
    "silent-leader": _behaving(answering=False),
    "duplicate-announcers": _behaving(duplicated=True),
    "foreign-owner": _behaving(foreign=True),
    "stale-lease": _behaving(alive=False),
    "announcer-drops": _behaving(dropping=True),
    "dsr-not-effective": _behaving(dsr=False),
    "mtu": _shrink,
    "no-policy": _no_policy,
    "no-pool": _no_pool,
    "loss": _lose,
}
"""How each fault of `lab.faults` is applied."""


async def break_(patient: Patient, name: str) -> None:
    """Apply a fault beside those that are active. UsageError when there is none of that name."""
    if name not in BREAKS:
        raise UsageError(f"The lab has no fault named {name}.", f"Use one of: {', '.join(BREAKS)}.")
    await BREAKS[name](patient)


def _fresh(obj: Obj) -> Obj:
    kept = {key: value for key, value in obj["metadata"].items() if key in ("name", "labels", "annotations")}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": kept, "spec": obj["spec"]}


async def mend(patient: Patient) -> None:
    """Undo all faults; what was deleted is made again."""
    await patient.world.switch.limit_frames(None, None)
    await patient.world.switch.lose(None, 0)
    while patient.taken:
        cache, obj = patient.taken[-1]
        cache.store(await ensure(patient.plane.client, cache.kind, _fresh(obj)))
        patient.taken.pop()
    patient.behave(HEALTHY)
