"""What all controllers of one cluster share: the client, the informers, the tasks. Decides nothing."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from l2probe.lab.controllers import kinds
from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.client import Client
from l2probe.lab.controllers.objects import Key, key_of
from l2probe.lab.controllers.work import Activity, T, Tasks, WorkQueue
from l2probe.lab.profiles import Implementation, Profile

KUBE_VIP_RANGES = Key("kube-system", "kubevip")
"""The ConfigMap from which kube-vip's cloud provider takes addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """One informer for each kind, shared by all controllers and all nodes' agents.

    `pools` and `policies` hold the implementation's own kinds; kube-vip has a ConfigMap for pool and no policy.
    """

    client: Client
    profile: Profile
    tasks: Tasks
    activity: Activity
    nodes: Cache
    pods: Cache
    services: Cache
    slices: Cache
    leases: Cache
    pools: Cache
    policies: Cache
    timers: list[Callable[[], None]]

    @property
    def caches(self) -> tuple[Cache, ...]:
        """All informers that have something to follow."""
        always = (self.nodes, self.pods, self.services, self.slices, self.leases, self.pools)
        return always if self.profile.implementation is Implementation.KUBE_VIP else (*always, self.policies)

    def own(self, addresses: Iterable[str]) -> tuple[str, ...]:
        """Return the addresses of the families that the cluster has."""
        return tuple(text for text in addresses if ipaddress.ip_address(text).version in self.profile.families)

    def queue(self, handle: Callable[[T], Awaitable[None]]) -> WorkQueue[T]:
        """Return a work queue whose work counts as the cluster's, and whose timers end with it."""
        made = WorkQueue(handle, self.tasks, self.activity)
        self.timers.append(made.close)
        return made

    async def sync(self) -> None:
        """Start all informers and return when each has listed."""
        for cache in self.caches:
            self.tasks.start(cache.run())
        await asyncio.gather(*(cache.synced.wait() for cache in self.caches))

    async def close(self) -> None:
        """End all tasks and timers, and the connections."""
        for stop in self.timers:
            stop()
        await self.tasks.close()
        await self.client.close()


def make_plane(client: Client, profile: Profile) -> Plane:
    """Return a plane whose informers have not started."""
    return Plane(
        client=client,
        profile=profile,
        tasks=Tasks(),
        activity=Activity(),
        nodes=Cache(client, kinds.NODE),
        pods=Cache(client, kinds.POD),
        services=Cache(client, kinds.SERVICE),
        slices=Cache(client, kinds.SLICE),
        leases=Cache(client, kinds.LEASE),
        pools=_pools(client, profile),
        policies=Cache(client, _POLICIES.get(profile.implementation, kinds.POLICY)),
        timers=[],
    )


_POLICIES = {Implementation.METALLB: kinds.L2_ADVERTISEMENT}


def _pools(client: Client, profile: Profile) -> Cache:
    match profile.implementation:
        case Implementation.CILIUM:
            return Cache(client, kinds.pool(profile.pool_versions[0]))
        case Implementation.METALLB:
            return Cache(client, kinds.IP_ADDRESS_POOL)
        case Implementation.KUBE_VIP:
            return Cache(client, kinds.CONFIG_MAP, lambda obj: key_of(obj) == KUBE_VIP_RANGES)
