"""What the lab needs of an API server, and which one it gets: the embedded one, or a real one."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from l2probe.lab.rights import Right

if TYPE_CHECKING:
    from l2probe.lab.api import ApiServer
    from l2probe.lab.assets import Assets
    from l2probe.lab.world import World


class ControlPlane(Protocol):
    """A running API server. `system_token` is the controllers', who keep all rights."""

    ca_pem: bytes
    system_token: str

    def kubeconfig(self, url: str) -> str:
        """Return the person's kubeconfig."""

    async def restrict(self, right: Right, *, allowed: bool) -> None:
        """Take a right from the person, or give it back; return when it is so."""

    async def listen(self, listening: socket.socket) -> None:
        """Serve on one more listening socket."""

    def serve_logs(self, source: Callable[[Any], AsyncIterator[bytes]]) -> None:
        """Take the source of Pods' logs."""


class _Embedded:
    """The embedded server, whose rights change at once."""

    def __init__(self, api: ApiServer) -> None:
        self.ca_pem, self.system_token = api.ca_pem, api.system_token
        self.kubeconfig, self.serve_logs, self.listen = api.kubeconfig, api.serve_logs, api.listen
        self._api = api

    async def restrict(self, right: Right, *, allowed: bool) -> None:
        self._api.restrict(right, allowed=allowed)


async def start(assets: Assets | None, world: World, sockets: Sequence[socket.socket], url: str) -> ControlPlane:
    """Serve the API on listening sockets, at `url` from here: kube-apiserver with `assets`, the embedded one without.

    LabError when a program of theirs does not start.
    """
    if assets is not None:
        from l2probe.lab.envtest import start_envtest  # noqa: PLC0415 - only here

        return await start_envtest(assets, world, sockets, url)
    from l2probe.lab.api import start_api  # noqa: PLC0415 - heavy

    return _Embedded(await start_api(sockets))
