"""Cilium as one of the lab's implementations: its objects, its agents. The rest of its modules say what these do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from l2probe.lab.controllers import crds, system
from l2probe.lab.controllers.agent import Agent
from l2probe.lab.controllers.client import Client
from l2probe.lab.controllers.crew import Crew
from l2probe.lab.controllers.daemons import run_everywhere
from l2probe.lab.controllers.election import NAMESPACE, holder_of
from l2probe.lab.controllers.kinds import CONFIG_MAP, CRD, LEASE, POLICY, SERVICE_ACCOUNT
from l2probe.lab.controllers.kinds import pool as pool_kind
from l2probe.lab.controllers.knowledge import Knowledge
from l2probe.lab.controllers.making import ensure_all, ensure_custom
from l2probe.lab.controllers.objects import Key, key_of, uid_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.driver import World
from l2probe.lab.profiles import Profile

LEASE_PREFIX = "cilium-l2announce"
COLLECT_SECONDS = 60.0
"""How often Cilium removes leases that nobody holds."""


async def install(client: Client, profile: Profile, nodes: Sequence[str]) -> None:
    """Make what Cilium's Helm chart and a person make: definitions, agents, configuration, pool, policy."""
    await asyncio.gather(_custom(client, profile), _agents(client, profile, nodes))


async def _custom(client: Client, profile: Profile) -> None:
    await ensure_all(client, ((CRD, definition) for definition in crds.cilium(profile.pool_versions)))
    pool, policy = system.pool(profile), system.policy()
    await asyncio.gather(
        ensure_custom(client, pool_kind(profile.pool_versions[0]), pool), ensure_custom(client, POLICY, policy)
    )


async def _agents(client: Client, profile: Profile, nodes: Sequence[str]) -> None:
    account = (SERVICE_ACCOUNT, system.service_account("cilium", system.SYSTEM))
    await ensure_all(client, (account, (CONFIG_MAP, system.config_map(profile))))
    await run_everywhere(client, system.daemon_set(profile), nodes)


def hire(plane: Plane, world: World, concerned: Callable[[Key], None], changed: Callable[[], None]) -> Crew:
    """Return one agent for each node; released leases are collected from now on."""
    knowledge = Knowledge(plane, concerned)
    plane.tasks.start(_collect(plane))
    return Crew(memory=knowledge, members=tuple(Agent(plane, node, knowledge, changed) for node in world.nodes))


async def _collect(plane: Plane) -> None:
    while True:
        await asyncio.sleep(COLLECT_SECONDS)
        for lease in plane.leases:
            key = key_of(lease)
            if key.namespace == NAMESPACE and key.name.startswith(LEASE_PREFIX) and not holder_of(lease):
                await plane.client.delete(LEASE, key, uid=uid_of(lease))
