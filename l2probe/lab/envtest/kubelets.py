"""The kubelets' side of `kubectl logs`: kube-apiserver asks a node's port 10250 for what a container wrote.

All nodes' addresses are on the loopback of the control plane's namespace, so that one socket there hears for all.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from aiohttp import web

from l2probe.lab.api.logs import not_started
from l2probe.lab.controllers.client import ApiError, Client
from l2probe.lab.controllers.kinds import POD
from l2probe.lab.controllers.logs import Query
from l2probe.lab.controllers.objects import Key
from l2probe.lab.netns import Namespace

PORT = 10250

LogSource = Callable[[Query], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A `Query`, as kube-apiserver writes it."""

    namespace: str
    pod: str
    container: str
    follow: bool
    previous: bool
    tail_lines: int | None


class Kubelets:
    """Answers for every node; what containers wrote comes from `source`, which may be set later."""

    def __init__(self, client: Client) -> None:
        self.source: LogSource | None = None
        self._client = client

    async def serve(self, namespace: Namespace, context: ssl.SSLContext) -> None:
        """Listen in the control plane's namespace from now on."""
        app = web.Application()
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._answer)
        runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
        await runner.setup()
        with namespace.entered():
            listening = socket.create_server(("0.0.0.0", PORT))  # noqa: S104 - the namespace has only a loopback
        await web.SockSite(runner, listening, ssl_context=context).start()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = _read(request)
        try:
            pod = await self._client.get(POD, Key(asked.namespace, asked.pod))
        except ApiError as refusal:
            return web.Response(status=refusal.code, text=str(refusal))
        if refused := not_started(pod, asked.container):
            return web.Response(status=refused.code, text=refused.message)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        if self.source is not None:
            async for chunk in self.source(asked):
                await response.write(chunk)
        return response


def _read(request: web.Request) -> _Asked:
    tail = request.query.get("tailLines")
    return _Asked(
        namespace=request.match_info["namespace"],
        pod=request.match_info["pod"],
        container=request.match_info["container"],
        follow=request.query.get("follow") == "true",
        previous=request.query.get("previous") == "true",
        tail_lines=int(tail) if tail and tail.isdecimal() else None,
    )
