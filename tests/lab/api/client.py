"""An embedded API server in a thread, and a plain HTTP client for it: no Kubernetes library between test and server."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from l2probe.lab.api import ApiServer, start_api

Json: TypeAlias = Any
"""Whatever a server answered."""
FIXTURES = Path(__file__).parent / "fixtures"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def fixture(name: str) -> Json:
    """Return a body recorded from a real server."""
    return json.loads((FIXTURES / name).read_text())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server answered."""

    code: int
    headers: http.client.HTTPMessage
    data: bytes

    @property
    def body(self) -> Json:
        """The body as JSON."""
        return json.loads(self.data)

    @property
    def warnings(self) -> list[str]:
        """The texts of the Warning headers."""
        return [text.partition('"')[2][:-1].replace('\\"', '"') for text in self.headers.get_all("Warning") or ()]


@dataclass(slots=True, kw_only=True)
class Server:
    """A running server. Requests carry the kubeconfig's token unless told otherwise."""

    api: ApiServer
    port: int
    loop: asyncio.AbstractEventLoop
    context: ssl.SSLContext
    home: Path
    agent: str = "tester/1.0 (linux)"
    opened: list[http.client.HTTPSConnection] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig file for it."""
        path = self.home / "kubeconfig"
        path.write_text(self.api.kubeconfig(self.url))
        return path

    def open(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10,
    ) -> http.client.HTTPResponse:
        """Send a request and return the response before its body is read."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=timeout)
        self.opened.append(connection)
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        base = {
            "Authorization": f"Bearer {self.api.token}",
            "User-Agent": self.agent,
            "Content-Type": "application/json",
        }
        connection.request(method, path, data, {**base, **(headers or {})})
        return connection.getresponse()

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10,
    ) -> Answer:
        """Send a request and return the whole answer."""
        response = self.open(method, path, body, headers=headers, timeout=timeout)
        answer = Answer(code=response.status, headers=response.headers, data=response.read())
        self.opened.pop().close()
        return answer

    def get(self, path: str, *, accept: str = "application/json") -> Answer:
        """GET."""
        return self.ask("GET", path, headers={"Accept": accept})

    def make(self, path: str, body: object) -> Json:
        """POST and return the created object; the test fails when it was refused."""
        answer = self.ask("POST", path, body)
        assert answer.code == http.client.CREATED, answer.data
        return answer.body

    def patch(self, path: str, body: object, media: str = MERGE) -> Answer:
        """PATCH."""
        return self.ask("PATCH", path, body, headers={"Content-Type": media})

    def apply(self, path: str, body: object, *, manager: str = "me", force: bool = False) -> Answer:
        """Server-side apply."""
        return self.patch(f"{path}?fieldManager={manager}&force={str(force).lower()}", body, APPLY)

    def watch(self, path: str) -> Iterator[Json]:
        """Open a watch; yield its events until the server ends it."""
        response = self.open("GET", path)
        assert response.status == http.client.OK, response.read()
        return (json.loads(line) for line in response)


@contextmanager
def serving(home: Path, **options: Json) -> Iterator[Server]:
    """Run a server in a thread of its own for as long as the block lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="api", daemon=True)
    thread.start()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    api = asyncio.run_coroutine_threadsafe(start_api([listener], **options), loop).result(10)
    context = ssl.create_default_context(cadata=api.ca_pem.decode())
    server = Server(api=api, port=port, loop=loop, context=context, home=home)
    try:
        yield server
    finally:
        for connection in server.opened:
            connection.close()
        asyncio.run_coroutine_threadsafe(api.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


CORE = "/api/v1"
DEFAULT = "/api/v1/namespaces/default"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def config_map(name: str, **data: Json) -> dict[str, Any]:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def service(name: str = "web", **spec: object) -> dict[str, Any]:
    """Return a LoadBalancer Service with one port."""
    ports = [{"name": "http", "port": 80, "targetPort": 8080}]
    wanted = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": ports, **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": wanted}


def pod(name: str = "web-1", *, node: str | None = "node-1", **spec: object) -> dict[str, Any]:
    """Return a Pod with one container."""
    containers = [{"name": "echo", "image": "busybox:1.36"}]
    wanted = {"containers": containers, **({"nodeName": node} if node else {}), **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": wanted}


def custom_kind(kind: str = "Widget", *, scope: str = "Namespaced", **version: object) -> dict[str, Any]:
    """Return a CustomResourceDefinition in group lab.test with one version."""
    plural = f"{kind.lower()}s"
    spec: dict[str, object] = {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "minimum": 1},
            "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
            "tags": {"type": "array", "items": {"type": "string"}},
        },
    }
    schema = {
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": spec, "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    base = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"kind": kind, "plural": plural, "shortNames": ["wd"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.lab.test"},
        "spec": {"group": "lab.test", "scope": scope, "names": names, "versions": [{**base, **version}]},
    }
