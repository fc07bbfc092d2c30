"""A cluster for one test: the embedded API server, the real controllers, a World that records."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from l2probe.lab.api import ApiServer, start_api
from l2probe.lab.controllers import RunningCluster, start_cluster
from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.client import Client
from l2probe.lab.controllers.kinds import EVENT, LEASE, POD, SERVICE, Kind
from l2probe.lab.controllers.objects import Key, Obj
from l2probe.lab.profiles import DEFAULT, PROFILES
from tests.lab.controllers.fake_world import FakeWorld

WAIT_SECONDS = 20.0
"""A bound for what should take milliseconds, on a machine that does ten other things."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What a test works with. `client` is a person with all rights, not a controller."""

    api: ApiServer
    cluster: RunningCluster
    world: FakeWorld
    client: Client
    url: str

    async def until(self, kind: Kind, holds: Callable[[Cache], T]) -> T:
        """Follow a kind by its watch until `holds` returns something true; return that."""
        cache = Cache(self.client, kind)
        following = asyncio.create_task(cache.run())
        found: list[T] = []

        def look() -> bool:
            found[:] = [holds(cache)]
            return bool(found[0])

        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await cache.synced.wait()
                await cache.until(look)
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
        return found[0]

    async def obj(self, kind: Kind, key: Key, holds: Callable[[Obj], object]) -> Obj:
        """Return the object as it is when `holds` of it is true."""

        def found(cache: Cache) -> Obj | None:
            obj = cache.get(key)
            return obj if obj is not None and holds(obj) else None

        return await self.until(kind, found) or {}

    async def addressed(self, name: str, namespace: str = "default") -> Obj:
        """Return the Service once it has an address."""
        return await self.obj(SERVICE, Key(namespace, name), lambda obj: obj["status"]["loadBalancer"].get("ingress"))

    async def lease(self, name: str, holds: Callable[[Obj], object], namespace: str = "default") -> Obj:
        """Return the Service's lease once `holds` of it."""
        return await self.obj(LEASE, Key("kube-system", f"cilium-l2announce-{namespace}-{name}"), holds)

    async def pod(self, name: str, holds: Callable[[Obj], object]) -> Obj:
        """Return the Pod once `holds` of it."""
        return await self.obj(POD, Key("default", name), holds)

    async def make(self, kind: Kind, obj: Obj) -> Obj:
        """Create an object in namespace default."""
        metadata = {"namespace": "default", **obj["metadata"]} if kind.namespaced else obj["metadata"]
        return await self.client.create(
            kind, {"apiVersion": kind.api_version, "kind": kind.name, **obj, "metadata": metadata}
        )


@contextlib.asynccontextmanager
async def running(
    profile: str = DEFAULT, *, real: bool = False, broken: str = "", alone: bool = False
) -> AsyncIterator[Lab]:
    """Run a cluster that is ready. `real`: Pods' programs are really started; `broken`: a fault that strikes before."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    url = f"https://127.0.0.1:{listening.getsockname()[1]}"
    api = await start_api([listening])
    world = FakeWorld(real=real)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(world.close)
        stack.push_async_callback(api.close)
        cluster = await start_cluster(
            url=url,
            token=api.system_token,
            ca_pem=api.ca_pem,
            world=world.driver,
            profile=PROFILES[profile],
            serve_logs=api.serve_logs,
            alone=alone,
        )
        stack.push_async_callback(cluster.close)
        client = await stack.enter_async_context(Client(url=url, token=api.token, ca_pem=api.ca_pem))
        async with asyncio.timeout(WAIT_SECONDS):
            if broken:
                await cluster.fault(broken)
            await cluster.ready()
        yield Lab(api=api, cluster=cluster, world=world, client=client, url=url)


@contextlib.asynccontextmanager
async def again(lab: Lab) -> AsyncIterator[RunningCluster]:
    """Run a second set of controllers on the same server, with a World of its own."""
    world = FakeWorld()
    cluster = await start_cluster(
        url=lab.url,
        token=lab.api.system_token,
        ca_pem=lab.api.ca_pem,
        world=world.driver,
        profile=PROFILES[DEFAULT],
    )
    try:
        await cluster.ready()
        yield cluster
    finally:
        await cluster.close()
        world.close()


async def events(lab: Lab, name: str, *reasons: str) -> dict[str, Obj]:
    """Return the Events about a Pod by reason, once there is one for each of these."""

    def about(cache: Cache) -> dict[str, Obj] | None:
        found = {event["reason"]: event for event in cache if event["involvedObject"]["name"] == name}
        return found if set(reasons) <= set(found) else None

    return await lab.until(EVENT, about) or {}


def service(
    name: str, *, app: str = "", policy: str = "Cluster", labels: dict[str, str] | None = None, **spec: object
) -> Obj:
    """Return a LoadBalancer Service."""
    return {
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": policy,
            "ipFamilyPolicy": "PreferDualStack",
            "selector": {"app": app or name},
            "ports": [
                {"name": "tcp", "protocol": "TCP", "port": 80, "targetPort": 8080},
                {"name": "udp", "protocol": "UDP", "port": 80, "targetPort": 8080},
            ],
            **spec,
        },
    }


def pod(
    name: str, *, app: str = "", node: str = "", container: Mapping[str, object] | None = None, **spec: object
) -> Obj:
    """Return a Pod with one container."""
    made = {"name": "main", "image": "python:3.13-alpine", "command": ["sleep", "3600"], **(container or {})}
    selector = {"kubernetes.io/hostname": node} if node else {}
    return {
        "metadata": {"name": name, "labels": {"app": app or name}},
        "spec": {"terminationGracePeriodSeconds": 0, "nodeSelector": selector, "containers": [made], **spec},
    }


def vips(service: Obj) -> list[str]:
    """Return the addresses of a Service."""
    return [entry["ip"] for entry in service["status"]["loadBalancer"].get("ingress") or ()]


def is_ready(pod: Obj) -> bool:
    """Whether the Pod's condition Ready is True."""
    return condition(pod, "Ready").get("status") == "True"


def condition(obj: Obj, kind: str) -> Obj:
    """Return a condition of the object, empty when it has none of that type."""
    found = (obj.get("status") or {}).get("conditions") or ()
    return next((entry for entry in found if entry["type"] == kind), {})
