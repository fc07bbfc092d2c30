"""The operator's LB IPAM: gives addresses to LoadBalancer Services, writes the counts of the pools. Never announces."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from l2probe.lab.controllers.allocation import Answer, allocate, ingress_of
from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.client import NOT_FOUND, ApiError
from l2probe.lab.controllers.objects import Key, Obj, dig, key_of, timestamp, with_condition
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.controllers.pools import Address, Pool, read_pools
from l2probe.lab.controllers.work import WorkQueue

MANAGER = "cilium-operator-lb-ipam"
SATISFIED = "cilium.io/IPAMRequestSatisfied"


def service_status(service: Obj, answer: Answer | None, now: str) -> Obj:
    """Return the status that the Service should have; None as answer takes address and condition away."""
    status = service.get("status") or {}
    others = [found for found in status.get("conditions") or () if found["type"] != SATISFIED]
    if answer is None:
        return {"loadBalancer": {"ingress": None}, "conditions": others or None}
    condition = {
        "type": SATISFIED,
        "status": "True" if answer.satisfied else "False",
        "reason": answer.reason,
        "message": answer.message,
    }
    ingress = [{"ip": str(address), "ipMode": "VIP"} for address in answer.addresses]
    conditions = with_condition(status.get("conditions") or (), condition, now)
    return {"loadBalancer": {"ingress": ingress or None}, "conditions": conditions}


def _differs(service: Obj, wanted: Obj) -> bool:
    ingress = [entry["ip"] for entry in wanted["loadBalancer"]["ingress"] or ()]
    held = [str(address) for address in ingress_of(service)]
    conditions = dig(service, "status", "conditions") or None
    return held != ingress or conditions != wanted["conditions"]


def _count(name: str, number: int) -> Obj:
    return {"type": f"cilium.io/{name}", "status": "Unknown", "reason": "noreason", "message": str(number)}


def pool_conditions(obj: Obj, pool: Pool, given: int, now: str) -> list[Obj]:
    """Return the pool's conditions; the counts are in the messages, as Cilium writes them."""
    conflict = {
        "type": "cilium.io/PoolConflict",
        "status": "True" if pool.conflict else "False",
        "reason": "cidr_overlap" if pool.conflict else "resolved",
        "message": pool.conflict,
    }
    counts = (("IPsTotal", pool.size), ("IPsAvailable", pool.size - given), ("IPsUsed", given))
    conditions = list(dig(obj, "status", "conditions") or ())
    for condition in (conflict, *(_count(name, number) for name, number in counts)):
        seen = {**condition, "observedGeneration": obj["metadata"].get("generation", 1)}
        conditions = with_condition(conditions, seen, now)
    return conditions


def used(pool: Pool, answers: Iterable[Answer]) -> int:
    """Return how many of the pool's addresses are given; what a conflicting pool contains is the older pool's."""
    if pool.conflict:
        return 0
    addresses: set[Address] = {address for answer in answers for address in answer.addresses if address in pool}
    return len(addresses)


class Ipam:
    """Reconciles everything at once: one change of a pool may move many Services, and a lab is small.

    It does nothing, not even conditions, before the first pool appears; later the absence of pools is a reason. `lag`:
    how many seconds it takes to notice a change.
    """

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._services = plane.services
        self._pools = plane.pools
        self._awake = False
        self._blind = False
        self.lag = 0.0
        self._queue: WorkQueue[str] = plane.queue(self._reconcile)
        self._services.subscribe(self._changed)
        self._pools.subscribe(self._changed)

    def _changed(self, _before: Obj | None, _after: Obj | None) -> None:
        if self.lag:
            self._queue.add_after("all", self.lag)
        else:
            self._queue.add("all")

    def forget(self) -> None:
        """From now on know of no address that it was given: each Service gets the first one of its pool (#41122)."""
        self._blind = True
        self._queue.add("all")

    async def behave(self) -> None:
        """Do what LB IPAM does from now on, and put right what was not."""
        self._blind, self.lag = False, 0.0
        self._queue.add("all")

    def _answers(self, pools: tuple[Pool, ...]) -> dict[Key, Answer]:
        families = self._plane.profile.families
        if not self._blind:
            return allocate(pools, self._services, families)
        fresh = [{**service, "status": {}} for service in self._services]
        return {key: answer for one in fresh for key, answer in allocate(pools, (one,), families).items()}

    async def _reconcile(self, _key: str) -> None:
        self._awake = self._awake or len(self._pools) > 0
        if not self._awake:
            return
        pools = read_pools(self._pools)
        answers = self._answers(pools)
        now = timestamp(time.time())
        await self._write_services(answers, now)
        await self._write_pools(pools, answers, now)

    async def _write_services(self, answers: Mapping[Key, Answer], now: str) -> None:
        for service in self._services:
            answer = answers.get(key_of(service))
            ours = any(found["type"] == SATISFIED for found in dig(service, "status", "conditions") or ())
            wanted = service_status(service, answer, now)
            if (answer is not None or ours) and _differs(service, wanted):
                await self._patch(self._services, key_of(service), wanted)

    async def _write_pools(self, pools: Iterable[Pool], answers: Mapping[Key, Answer], now: str) -> None:
        for pool in pools:
            obj = self._pools.get(Key("", pool.name))
            if obj is None:
                continue
            conditions = pool_conditions(obj, pool, used(pool, answers.values()), now)
            if conditions != dig(obj, "status", "conditions"):
                await self._patch(self._pools, Key("", pool.name), {"conditions": conditions})

    async def _patch(self, cache: Cache, key: Key, status: Obj) -> None:
        try:
            done = await self._plane.client.merge(
                cache.kind, key, {"status": status}, subresource="status", manager=MANAGER
            )
        except ApiError as refusal:
            if refusal.code != NOT_FOUND:
                raise
            return
        cache.store(done)
