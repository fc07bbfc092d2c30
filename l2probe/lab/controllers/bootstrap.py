"""Fills an empty API server with the cluster that a profile plays. Objects that are there already are left alone."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterable, Sequence

from l2probe.lab.controllers import crds, system, tenants
from l2probe.lab.controllers.client import CONFLICT, NOT_FOUND, ApiError, Client
from l2probe.lab.controllers.kinds import (
    CONFIG_MAP,
    CRD,
    DAEMON_SET,
    LEASE,
    NAMESPACE,
    NODE,
    POD,
    POLICY,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)
from l2probe.lab.controllers.kinds import pool as pool_kind
from l2probe.lab.controllers.objects import Key, Obj, key_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.driver import World
from l2probe.lab.profiles import Profile

SERVED_SECONDS = 10.0
"""How long a real API server may take to serve a new CustomResourceDefinition."""
SERVED_PAUSE_SECONDS = 0.02
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes random names of (apimachinery util/rand)."""
NOT_READY_TAINT = "node.kubernetes.io/not-ready"


async def ensure(client: Client, kind: Kind, obj: Obj) -> Obj:
    """Create the object and return it, or the one that has its name already."""
    try:
        return await client.create(kind, obj)
    except ApiError as refusal:
        if refusal.code != CONFLICT:
            raise
    return await client.get(kind, key_of(obj))


async def _ensure_custom(client: Client, kind: Kind, obj: Obj) -> None:
    deadline = time.monotonic() + SERVED_SECONDS
    while True:
        try:
            await ensure(client, kind, obj)
        except ApiError as refusal:
            if refusal.code != NOT_FOUND or time.monotonic() > deadline:
                raise
            await asyncio.sleep(SERVED_PAUSE_SECONDS)
        else:
            return


async def _all(client: Client, pairs: Iterable[tuple[Kind, Obj]]) -> None:
    await asyncio.gather(*(ensure(client, kind, obj) for kind, obj in pairs))


async def _node(client: Client, obj: Obj) -> None:
    made = await ensure(client, NODE, obj)
    taints = made["spec"].get("taints") or []
    kept = [taint for taint in taints if taint["key"] != NOT_READY_TAINT]
    # Admission taints a new node until the node controller has seen it ready; that controller is not here.
    if kept != taints:
        await client.merge(NODE, Key("", made["metadata"]["name"]), {"spec": {"taints": kept or None}})


def _suffix(node: str) -> str:
    """Return five characters as a DaemonSet's Pods have at the end of their names, the same for a node each time."""
    digest = hashlib.blake2b(node.encode(), digest_size=5).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest)


async def _cilium(client: Client, profile: Profile, nodes: Sequence[str]) -> None:
    accounts = ((SERVICE_ACCOUNT, system.service_account("cilium", system.SYSTEM)),)
    config = ((CONFIG_MAP, system.config_map(profile)),)
    _, owner = await asyncio.gather(
        _all(client, (*accounts, *config)), ensure(client, DAEMON_SET, system.daemon_set(profile))
    )
    agents = [system.agent_pod(profile, owner, name, _suffix(name)) for name in nodes]
    done = client.merge(DAEMON_SET, key_of(owner), system.daemon_set_status(len(nodes)), subresource="status")
    await asyncio.gather(done, *(ensure(client, POD, pod) for pod in agents))


async def _shop(client: Client, nodes: tuple[str, ...]) -> None:
    await ensure(client, NAMESPACE, tenants.namespace())
    await ensure(client, SERVICE_ACCOUNT, system.service_account("default", tenants.SHOP))
    # One after the other: age and then name decide who gets which address, and that must be the same each time.
    for tenant in tenants.TENANTS:
        await ensure(client, SERVICE, tenants.service(tenant))
    pods = [(POD, pod) for tenant in tenants.TENANTS for pod in tenants.pods(tenant, nodes)]
    await _all(client, pods)


async def _custom(client: Client, profile: Profile) -> None:
    await _all(client, ((CRD, definition) for definition in crds.definitions(profile.pool_versions)))
    pool, policy = system.pool(profile), system.policy()
    await asyncio.gather(
        _ensure_custom(client, pool_kind(profile.pool_versions[0]), pool), _ensure_custom(client, POLICY, policy)
    )


async def bootstrap(plane: Plane, world: World) -> None:
    """Create everything, side by side as far as one thing does not need another. ApiError when the server refuses."""
    client, profile, now = plane.client, plane.profile, time.time()
    names = tuple(node.name for node in world.nodes)
    await _all(client, ((NAMESPACE, obj) for obj in system.namespaces()))
    machines = [
        system.node(node, number, plane.own(node.addresses), now) for number, node in enumerate(world.nodes, start=1)
    ]
    await asyncio.gather(
        _custom(client, profile),
        _cilium(client, profile, names),
        _shop(client, names),
        _all(client, ((LEASE, system.node_lease(name, now)) for name in names)),
        *(_node(client, machine) for machine in machines),
    )
