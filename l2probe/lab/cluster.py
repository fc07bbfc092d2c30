"""The living lab: the world, the API that speaks in it and the controllers that run it.

The API listens on sockets made in three namespaces (a socket stays where it was made), so that one kubeconfig is
right for the controllers, in the client's namespace and on the host.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from l2probe.lab import control_plane
from l2probe.lab.addresses import KUBECONFIG, LOOPBACK
from l2probe.lab.assets import Assets
from l2probe.lab.control_plane import ControlPlane
from l2probe.lab.faults import check_world
from l2probe.lab.netns import Namespace
from l2probe.lab.profiles import PROFILES
from l2probe.lab.rights import DENIED, rights_of
from l2probe.lab.standing import STANDINGS, Standing, standing
from l2probe.lab.topology import CLIENT
from l2probe.lab.world import World

if TYPE_CHECKING:
    from l2probe.lab.controllers import RunningCluster


class Cluster:
    """What `live` returns: the lab with a name for each way to break it."""

    def __init__(
        self, api: ControlPlane, controllers: RunningCluster, world: World, *, profile: str, url: str, port: int
    ) -> None:
        self.profile = profile
        self.url = url
        self.faults: tuple[str, ...] = ()
        self._api = api
        self._controllers = controllers
        self._world = world
        self._port = port
        self._reached = {CLIENT.name}

    @property
    def standing(self) -> Standing:
        """Where commands run, as the faults have it."""
        return standing(self.faults)

    @property
    def place(self) -> Namespace:
        """The machine on which commands run."""
        return self._world.place(self.standing.machine)

    async def fault(self, name: str) -> None:
        """Break the lab in one way more. LabError when the controllers could not, UsageError in another world."""
        if name in self.faults:
            return
        check_world(self.profile, (name,))
        if name in STANDINGS:
            await self._reach(STANDINGS[name].machine)
        elif not name.startswith(DENIED):
            await self._controllers.fault(name)
        await self._restrict(name, allowed=False)
        self.faults = (*self.faults, name)

    async def heal(self) -> None:
        """Mend all that was broken."""
        for name in self.faults:
            await self._restrict(name, allowed=True)
        await self._controllers.heal()
        self.faults = ()

    async def _reach(self, machine: str) -> None:
        """Let the API be reached from a machine; the kubeconfig is the same everywhere."""
        if machine not in self._reached:
            await self._api.listen(_listen(self._world.place(machine), self._port))
            self._reached.add(machine)

    async def _restrict(self, fault: str, *, allowed: bool) -> None:
        denied = STANDINGS[fault].denied if fault in STANDINGS else (fault,)
        for right in (right for name in denied if name.startswith(DENIED) for right in rights_of(name)):
            await self._api.restrict(right, allowed=allowed)


async def live(
    world: World, *, host: socket.socket, profile: str, faults: Sequence[str] = (), assets: Assets | None = None
) -> Cluster:
    """Start API and controllers in a started world; return when the cluster is steady and broken as asked.

    `assets`: the real control plane's programs, None for the embedded one.
    """
    from l2probe.lab.controllers import start_cluster  # noqa: PLC0415 - heavy

    port = host.getsockname()[1]
    url = f"https://{LOOPBACK}:{port}"
    sockets = (host, *(_listen(namespace, port) for namespace in (world.own, world.client)))
    api = await control_plane.start(assets, world, sockets, url)
    _write_private(KUBECONFIG, api.kubeconfig(url))
    controllers = await start_cluster(
        serve_logs=api.serve_logs,
        url=url,
        token=api.system_token,
        ca_pem=api.ca_pem,
        world=world,
        profile=PROFILES[profile],
        alone=assets is not None,
    )
    await controllers.ready()
    cluster = Cluster(api, controllers, world, profile=profile, url=url, port=port)
    for name in faults:
        await cluster.fault(name)
    return cluster


def _listen(namespace: Namespace, port: int) -> socket.socket:
    with namespace.entered():
        return socket.create_server((LOOPBACK, port), backlog=128)


def _write_private(path: str, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
