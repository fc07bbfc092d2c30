"""MetalLB's controller: gives addresses to LoadBalancer Services, says so in Events, counts in the pools' status."""

from __future__ import annotations

from collections.abc import Iterable

from l2probe.lab.controllers.allocation import ingress_of
from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.client import NOT_FOUND, ApiError
from l2probe.lab.controllers.events import NORMAL, WARNING, Happened, Recorder
from l2probe.lab.controllers.metallb.allocation import (
    POOL,
    AddressPool,
    Grant,
    Refusal,
    allocate,
    managed,
    printed,
    read_pools,
)
from l2probe.lab.controllers.objects import Key, Obj, annotations_of, dig, key_of, uid_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.controllers.work import WorkQueue

MANAGER = "controller"


def counters(pool: AddressPool, grants: Iterable[Grant]) -> Obj:
    """Return the status of a pool."""
    given = {address for grant in grants for address in grant.addresses if address in pool}
    assigned = {version: sum(address.version == version for address in given) for version in (4, 6)}
    return {
        **{f"assignedIPv{version}": number for version, number in assigned.items()},
        **{f"availableIPv{version}": pool.size(version) - number for version, number in assigned.items()},
    }


class Controller:
    """Reconciles everything at once: one change of a pool may move many Services, and a lab is small."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._recorder = Recorder(plane, "metallb-controller")
        self._refused: dict[str, str] = {}
        self._queue: WorkQueue[str] = plane.queue(self._reconcile)
        plane.services.subscribe(self._changed)
        plane.pools.subscribe(self._changed)

    def _changed(self, _before: Obj | None, _after: Obj | None) -> None:
        self._queue.add("all")

    async def _reconcile(self, _key: str) -> None:
        pools = read_pools(self._plane.pools)
        answers = allocate(pools, self._plane.services)
        for service in self._plane.services:
            if not service["metadata"].get("deletionTimestamp"):
                await self._converge(service, answers.get(key_of(service)))
        grants = [answer for answer in answers.values() if isinstance(answer, Grant)]
        for pool in pools:
            await self._count(pool, grants)

    async def _converge(self, service: Obj, answer: Grant | Refusal | None) -> None:
        held = ingress_of(service)
        wanted = answer.addresses if isinstance(answer, Grant) else ()
        if not managed(service) and POOL not in annotations_of(service):
            return
        if held and held != wanted:
            self._say(
                service,
                "ClearAssignment",
                f"current IP for {_named(service)} not allowed by config, "
                f"will attempt for new IP assignment: {printed(held)} is not allowed in config",
            )
        if isinstance(answer, Refusal):
            self._refuse(service, answer)
        pool = answer.pool if isinstance(answer, Grant) else None
        if held == wanted and annotations_of(service).get(POOL) == pool:
            return
        await self._write(service, wanted=[str(address) for address in wanted], pool=pool)
        self._refused.pop(uid_of(service), None) if wanted else None
        if wanted:
            self._say(service, "IPAllocated", f"Assigned IP {printed(wanted)}")

    def _refuse(self, service: Obj, answer: Refusal) -> None:
        # Said once for each reason: the real controller repeats itself with each look, and counts.
        if self._refused.get(uid_of(service)) != answer.message:
            self._refused[uid_of(service)] = answer.message
            message = f"Failed to allocate IP for {_named(service)}: {answer.message}"
            self._say(service, "AllocationFailed", message, WARNING)

    def _say(self, service: Obj, reason: str, message: str, kind: str = NORMAL) -> None:
        self._recorder.say(service, Happened(reason=reason, message=message, kind=kind))

    async def _write(self, service: Obj, *, wanted: list[str], pool: str | None) -> None:
        key = key_of(service)
        ingress = [{"ip": address, "ipMode": "VIP"} for address in wanted] or None
        if annotations_of(service).get(POOL) != pool:
            await self._merge(self._plane.services, key, {"metadata": {"annotations": {POOL: pool}}})
        status = {"status": {"loadBalancer": {"ingress": ingress}}}
        await self._merge(self._plane.services, key, status, subresource="status")

    async def _count(self, pool: AddressPool, grants: list[Grant]) -> None:
        found = next((obj for obj in self._plane.pools if obj["metadata"]["name"] == pool.name), None)
        wanted = counters(pool, grants)
        if found is not None and dig(found, "status") != wanted:
            await self._merge(self._plane.pools, key_of(found), {"status": wanted}, subresource="status")

    async def _merge(self, cache: Cache, key: Key, patch: Obj, *, subresource: str = "") -> None:
        try:
            done = await self._plane.client.merge(cache.kind, key, patch, subresource=subresource, manager=MANAGER)
        except ApiError as refusal:
            if refusal.code != NOT_FOUND:
                raise
            return
        cache.store(done)


def _named(service: Obj) -> str:
    return f'"{key_of(service)}"'
