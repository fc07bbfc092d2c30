"""The running real control plane, as the lab sees it: start it, give its kubeconfig, take rights from the person."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Sequence
from pathlib import Path

from l2probe.errors import LabError
from l2probe.lab import rtnetlink as rt
from l2probe.lab.addresses import SYSTEM_PATH
from l2probe.lab.assets import Assets
from l2probe.lab.controllers.client import UNREACHABLE, ApiError, Client
from l2probe.lab.controllers.kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING
from l2probe.lab.controllers.objects import Key
from l2probe.lab.envtest import commands, person
from l2probe.lab.envtest.kubelets import Kubelets, LogSource
from l2probe.lab.envtest.relay import relay
from l2probe.lab.launcher import Launch
from l2probe.lab.login import kubeconfig
from l2probe.lab.netns import EVERYONE, Namespace
from l2probe.lab.programs import Child
from l2probe.lab.rights import Right
from l2probe.lab.tls import make_identity, make_keys
from l2probe.lab.topology import NODES
from l2probe.lab.world import World

BOOT_SECONDS = 120.0
"""On a machine that does ten other things; 5 to 10 is usual."""
POLL_SECONDS = 0.05
OBEYED_SECONDS = 10.0
"""How long the server's own informers may take to hear of a changed role."""
_LOOPBACK_INDEX = 1


class Envtest:
    """A running control plane; it lives as long as the lab."""

    def __init__(
        self,
        client: Client,
        kubelets: Kubelets,
        namespace: Namespace,
        *,
        ca_pem: bytes,
        token: str,
        system_token: str,
    ) -> None:
        self.ca_pem, self.token, self.system_token = ca_pem, token, system_token
        self._client, self._kubelets, self._namespace = client, kubelets, namespace
        self._denied: frozenset[Right] = frozenset()

    def kubeconfig(self, url: str) -> str:
        """Return the person's kubeconfig."""
        return kubeconfig(url, ca_pem=self.ca_pem, token=self.token)

    async def restrict(self, right: Right, *, allowed: bool) -> None:
        """Take a right (verb, API group, resource; `*` stands for all) from the person, or give it back.

        Returns when the server obeys; LabError when it does not within OBEYED_SECONDS.
        """
        self._denied = self._denied - {right} if allowed else self._denied | {right}
        role = person.role(await self._client.resources(), self._denied)
        await self._client.merge(CLUSTER_ROLE, Key("", person.NAME), {"rules": role["rules"]})
        deadline = time.monotonic() + OBEYED_SECONDS
        while await self._client.may(person.review(right)) is not person.has(right, self._denied):
            if time.monotonic() > deadline:
                raise LabError(
                    f"The API server did not change the right {':'.join(right)} within {OBEYED_SECONDS:.0f} s."
                )
            await asyncio.sleep(POLL_SECONDS)

    async def listen(self, listening: socket.socket) -> None:
        """Serve on one more listening socket."""
        await relay((listening,), self._namespace, commands.PORT)

    def serve_logs(self, source: LogSource) -> None:
        """Let `kubectl logs` read from `source`."""
        self._kubelets.source = source


async def start_envtest(assets: Assets, world: World, sockets: Sequence[socket.socket], url: str) -> Envtest:
    """Start etcd and kube-apiserver, reachable through listening sockets, at `url` from here; return when it is ready.

    LabError with the program's last words when one of them ended instead.
    """
    keys = make_keys()
    token, system_token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    commands.furnish(keys, token=token, system_token=system_token)
    namespace = Namespace.new(EVERYONE)
    namespace.netlink.do(rt.up(_LOOPBACK_INDEX), *(rt.address(_LOOPBACK_INDEX, f"{site.v4}/32") for site in NODES))
    programs = {
        "etcd": await _start(world, namespace, "etcd", commands.etcd(assets)),
        "kube-apiserver": await _start(world, namespace, "kube-apiserver", commands.kube_apiserver(assets)),
    }
    await relay(sockets, namespace, commands.PORT)
    client = Client(url=url, token=system_token, ca_pem=keys.ca_pem)
    kubelets = Kubelets(client)
    await kubelets.serve(namespace, make_identity(keys).context)
    await _ready(client, programs)
    await client.create(CLUSTER_ROLE, person.role((), frozenset()))
    await client.create(CLUSTER_ROLE_BINDING, person.binding())
    return Envtest(client, kubelets, namespace, ca_pem=keys.ca_pem, token=token, system_token=system_token)


async def _start(world: World, namespace: Namespace, name: str, argv: tuple[str, ...]) -> Child:
    log = os.open(_log(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        launch = Launch(argv=argv, env={"PATH": SYSTEM_PATH, "HOME": commands.PLACE})
        return await world.programs.start(launch, network=namespace.descriptor, output=log)
    finally:
        os.close(log)


def _log(name: str) -> str:
    return f"{commands.PLACE}/{name}.log"


async def _ready(client: Client, programs: dict[str, Child]) -> None:
    """Wait until the server says that it is ready; nobody can wait for that but by asking."""
    ends = {asyncio.ensure_future(child.wait()): name for name, child in programs.items()}
    deadline = time.monotonic() + BOOT_SECONDS
    try:
        while not await _is_ready(client):
            if ended := [task for task in ends if task.done()]:
                raise LabError(f"{ends[ended[0]]} ended while it started: {_last_words(ends[ended[0]])}")
            if time.monotonic() > deadline:
                words = _last_words("kube-apiserver")
                raise LabError(f"kube-apiserver was not ready within {BOOT_SECONDS:.0f} s: {words}")
            await asyncio.sleep(POLL_SECONDS)
    finally:
        for task in ends:
            task.cancel()


async def _is_ready(client: Client) -> bool:
    try:
        return await client.text("/readyz") == "ok"
    except (ApiError, *UNREACHABLE):
        return False


def _last_words(name: str) -> str:
    lines = Path(_log(name)).read_text(errors="replace").strip().splitlines()
    return (lines or ["it said nothing"])[-1][:500]
