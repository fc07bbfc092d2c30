"""Fills an empty API server with the cluster that a profile plays. Objects that are there already are left alone."""

from __future__ import annotations

import asyncio
import time

from l2probe.lab.controllers import system, tenants
from l2probe.lab.controllers.client import Client
from l2probe.lab.controllers.implementations import PARTS
from l2probe.lab.controllers.kinds import LEASE, NAMESPACE, NODE, POD, SERVICE, SERVICE_ACCOUNT
from l2probe.lab.controllers.making import ensure, ensure_all
from l2probe.lab.controllers.objects import Key, Obj
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.driver import World

NOT_READY_TAINT = "node.kubernetes.io/not-ready"


async def _node(client: Client, obj: Obj) -> None:
    made = await ensure(client, NODE, obj)
    taints = made["spec"].get("taints") or []
    kept = [taint for taint in taints if taint["key"] != NOT_READY_TAINT]
    # Admission taints a new node until the node controller has seen it ready; that controller is not here.
    if kept != taints:
        await client.merge(NODE, Key("", made["metadata"]["name"]), {"spec": {"taints": kept or None}})


async def _shop(client: Client, nodes: tuple[str, ...]) -> None:
    await ensure(client, NAMESPACE, tenants.namespace())
    await ensure(client, SERVICE_ACCOUNT, system.service_account("default", tenants.SHOP))
    # One after the other: age and then name decide who gets which address, and that must be the same each time.
    for tenant in tenants.TENANTS:
        await ensure(client, SERVICE, tenants.service(tenant))
    pods = [(POD, pod) for tenant in tenants.TENANTS for pod in tenants.pods(tenant, nodes)]
    await ensure_all(client, pods)


async def bootstrap(plane: Plane, world: World) -> None:
    """Create everything, side by side as far as one thing does not need another. ApiError when the server refuses."""
    client, profile, now = plane.client, plane.profile, time.time()
    names = tuple(node.name for node in world.nodes)
    await ensure_all(client, ((NAMESPACE, obj) for obj in system.namespaces()))
    machines = [
        system.node(node, number, plane.own(node.addresses), now) for number, node in enumerate(world.nodes, start=1)
    ]
    await asyncio.gather(
        PARTS[profile.implementation].install(client, profile, names),
        _shop(client, names),
        ensure_all(client, ((LEASE, system.node_lease(name, now)) for name in names)),
        *(_node(client, machine) for machine in machines),
    )
