"""The embedded API server as its users see it: start it on sockets, get a kubeconfig, misuse it, close it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Sequence
from typing import Final

from aiohttp import web

from l2probe.lab.api.allocation import Allocator, Ranges
from l2probe.lab.api.app import App
from l2probe.lab.api.collector import Collector
from l2probe.lab.api.deletion import Deletion
from l2probe.lab.api.kinds import Kinds
from l2probe.lab.api.logs import LogSource
from l2probe.lab.api.rbac import PERSON, SYSTEM, Right
from l2probe.lab.api.reading import Options
from l2probe.lab.api.registry import Registry
from l2probe.lab.api.store import Store
from l2probe.lab.api.verbs import Backend
from l2probe.lab.api.version import version_info
from l2probe.lab.login import kubeconfig
from l2probe.lab.tls import Identity, make_identity

VERSION: Final = "v1.34.4+l2probe"
NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")
HISTORY: Final = 4096
ROUNDS: Final = 5
"""How often the loop turns until a closed TLS connection has told everyone."""


class ApiServer:
    """A running API server.

    `token` is the person's of the kubeconfig: `restrict` and `misbehave` apply to it. `system_token` is for the
    cluster's own controllers, which keep all rights and are never disturbed.
    """

    def __init__(self, app: App, runner: web.AppRunner, *, identity: Identity, token: str, system_token: str) -> None:
        self._app, self._runner, self._identity = app, runner, identity
        self.ca_pem = identity.ca_pem.encode()
        self.token, self.system_token = token, system_token

    def kubeconfig(self, server_url: str) -> str:
        """Return a kubeconfig for `server_url` (https://127.0.0.1:port) as JSON, which is YAML."""
        return kubeconfig(server_url, ca_pem=self.ca_pem, token=self.token)

    async def listen(self, listening: socket.socket) -> None:
        """Serve on this listening TCP socket too; it belongs to the server from here on."""
        await web.SockSite(self._runner, listening, ssl_context=self._identity.context).start()

    def restrict(self, right: Right, *, allowed: bool) -> None:
        """Take a right (verb, API group, resource) from the person, or give it back. `*` stands for all."""
        self._app.rights.restrict(right, allowed=allowed)

    def misbehave(self, method: str, path_regex: str, kind: str, *, times: int = 1) -> None:
        """Spoil the person's next `times` requests whose method (`*`: any) and path with query match.

        Kinds: `429` (with Retry-After 1), `500`, `hang` (no answer until close), `drop` (connection reset); else
        ValueError.
        """
        self._app.faults.arm(method, path_regex, kind, times=times)

    def behave(self) -> None:
        """End all misbehaviour."""
        self._app.faults.disarm()

    def serve_logs(self, source: LogSource) -> None:
        """Let `kubectl logs` read from `source`; the kubelet knows what containers wrote."""
        self._app.backend.logs = source

    async def close(self) -> None:
        """End all watches, answer what is under way, close the sockets and every connection."""
        self._app.close()
        server = self._runner.server
        transports = [connection.transport for connection in server.connections] if server is not None else []
        await self._runner.cleanup()
        for transport in transports:
            # Clients that keep connections would have TLS wait for their goodbye. Debian 12's Python (3.11.2) fails to
            # abort a transport that is closed for good already.
            with contextlib.suppress(AttributeError):
                if transport is not None:
                    transport.abort()
        for _ in range(ROUNDS):
            await asyncio.sleep(0)


def _furnish(registry: Registry, kinds: Kinds) -> None:
    """Make what every cluster has from its first second."""
    options = Options(manager="kube-apiserver")
    namespaces, services = kinds.named("", "Namespace"), kinds.named("", "Service")
    if namespaces is None or services is None:
        raise LookupError("Namespace or Service is not served")
    for name in NAMESPACES:
        registry.create(namespaces, "", {"metadata": {"name": name}}, options)
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]
    labels = {"component": "apiserver", "provider": "kubernetes"}
    spec = {"clusterIP": "10.96.0.1", "ports": ports}
    registry.create(services, "default", {"metadata": {"name": "kubernetes", "labels": labels}, "spec": spec}, options)


async def start_api(
    sockets: Sequence[socket.socket], *, git_version: str = VERSION, history: int = HISTORY
) -> ApiServer:
    """Serve the Kubernetes API on listening TCP sockets and return when it answers.

    `git_version` is what /version says and must look like v1.2.3 (ValueError otherwise); `history` is how many events
    of each kind a watch can resume from. The sockets belong to the server from here on.
    """
    version_info(git_version)
    identity = make_identity()
    store, kinds = Store(history), Kinds()
    registry = Registry(store, Allocator(Ranges()))
    deletion = Deletion(registry)
    Collector(registry, deletion, kinds, identity.ca_pem)
    _furnish(registry, kinds)
    token, system_token = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
    backend = Backend(registry=registry, deletion=deletion, kinds=kinds)
    app = App(backend, {token: PERSON, system_token: SYSTEM}, git_version)
    runner = web.AppRunner(app.application(), handler_cancellation=True, shutdown_timeout=0.5, access_log=None)
    await runner.setup()
    api = ApiServer(app, runner, identity=identity, token=token, system_token=system_token)
    for sock in sockets:
        await api.listen(sock)
    return api
