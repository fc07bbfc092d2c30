"""Starts all controllers of one cluster and stops them again. Decides nothing itself."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from l2probe.lab.controllers.accounts import Accounts
from l2probe.lab.controllers.announcers import Announcers
from l2probe.lab.controllers.bootstrap import bootstrap
from l2probe.lab.controllers.breakage import break_, mend
from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.client import Client
from l2probe.lab.controllers.datapath import Datapath
from l2probe.lab.controllers.endpoints import Endpoints
from l2probe.lab.controllers.implementations import PARTS
from l2probe.lab.controllers.kinds import NAMESPACE
from l2probe.lab.controllers.kubelet import Kubelet
from l2probe.lab.controllers.logs import Query
from l2probe.lab.controllers.namespaces import Namespaces
from l2probe.lab.controllers.objects import Key
from l2probe.lab.controllers.patient import Patient
from l2probe.lab.controllers.plane import Plane, make_plane
from l2probe.lab.controllers.scheduler import Scheduler
from l2probe.lab.driver import World
from l2probe.lab.profiles import Profile

ServeLogs = Callable[[Callable[[Query], AsyncIterator[bytes]]], None]
"""Where an API server takes the source of its Pods' logs."""
SETTLE_SECONDS = 3.0
LAB_HOME = Path("/run/l2probe")
"""The lab's own memory file system; what is written there ends with the lab."""


class RunningCluster:
    """A cluster whose controllers run."""

    def __init__(self, plane: Plane, world: World, room: Path) -> None:
        self._plane = plane
        self._room = room
        parts = PARTS[plane.profile.implementation]
        allocator = parts.allocate(plane)
        Endpoints(plane)
        Scheduler(plane)
        datapath = Datapath(plane, world.nodes)
        announcers = Announcers(plane, world, parts.hire)
        self._kubelets = tuple(Kubelet(plane, node, room) for node in world.nodes)
        self._patient = Patient(plane=plane, world=world, announcers=announcers, datapath=datapath, allocator=allocator)

    async def ready(self) -> None:
        """Return when nothing is left to do: Services have what they can have, Pods started, datapaths programmed.

        Raises what a controller raised when one crashed.
        """
        quiet = asyncio.ensure_future(self._plane.activity.quiet())
        try:
            await asyncio.wait((quiet, self._plane.tasks.crashed), return_when=asyncio.FIRST_COMPLETED)
            if self._plane.tasks.crashed.done():
                self._plane.tasks.crashed.result()
        finally:
            quiet.cancel()

    async def fault(self, name: str) -> None:
        """Break the cluster in one way more, for what is there and for what is made later; return when it is broken.

        UsageError when there is no such fault.
        """
        await break_(self._patient, name)
        await self._settle()

    async def heal(self) -> None:
        """Undo all faults; return when the cluster is well again."""
        await mend(self._patient)
        await self._settle()

    async def _settle(self) -> None:
        # A Pod that takes long to start or to end must not hold up a fault.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_SECONDS):
                await self.ready()

    async def logs(self, query: Query) -> AsyncIterator[bytes]:
        """Yield what a container wrote; nothing when it never ran."""
        pod = Key(query.namespace, query.pod)
        found = (kubelet.logs(pod, query.container, previous=query.previous) for kubelet in self._kubelets)
        log = next((log for log in found if log is not None), None)
        if log is not None:
            async for chunk in log.read(tail=query.tail_lines, follow=query.follow):
                yield chunk

    async def close(self) -> None:
        """Kill all Pods, end all controllers, remove all files."""
        for kubelet in self._kubelets:
            await kubelet.close()
        await self._plane.close()
        await asyncio.to_thread(shutil.rmtree, self._room, ignore_errors=True)


def _manage(plane: Plane, ca_pem: str) -> None:
    """Do what no controller manager does."""
    namespaces = Cache(plane.client, NAMESPACE)
    Namespaces(plane, namespaces)
    Accounts(plane, namespaces, ca_pem)
    plane.tasks.start(namespaces.run())


def _room() -> Path:
    parent = LAB_HOME if LAB_HOME.is_dir() else None
    room = Path(tempfile.mkdtemp(prefix="l2probe-pods-", dir=parent))
    # Pods may run as another user and read their files.
    room.chmod(0o755)
    return room


async def start_cluster(
    *,
    url: str,
    token: str,
    ca_pem: bytes | str,
    world: World,
    profile: Profile,
    serve_logs: ServeLogs | None = None,
    alone: bool = False,
) -> RunningCluster:
    """Fill the API server at `url` with the profile's cluster and start its controllers.

    `ready` of what it returns awaits the steady state. `serve_logs` is given the source of Pod logs.
    `alone`: the server comes without what kube-controller-manager does for namespaces and accounts, so do that too.
    ApiError when the server refuses, aiohttp.ClientError or OSError when it does not answer.
    """
    plane = make_plane(Client(url=url, token=token, ca_pem=ca_pem), profile)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(plane.close)
        if alone:
            _manage(plane, ca_pem if isinstance(ca_pem, str) else ca_pem.decode())
        await bootstrap(plane, world)
        await plane.sync()
        cluster = RunningCluster(plane, world, await asyncio.to_thread(_room))
        if serve_logs is not None:
            serve_logs(cluster.logs)
        stack.pop_all()
    return cluster
