"""A small Kubernetes REST client over HTTPS with a bearer token. Knows no controller and keeps no state of objects."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from l2probe.errors import LabError
from l2probe.lab.controllers.kinds import Kind
from l2probe.lab.controllers.objects import Key, Obj, key_of

WATCH_SECONDS = 300
"""How long the server keeps a watch open; client-go asks for 5 to 10 minutes."""
REQUEST_SECONDS = 15.0
MAX_EVENT_BYTES = 16 * 1024 * 1024

GONE = 410
CONFLICT = 409
NOT_FOUND = 404
FORBIDDEN = 403
SERVER_ERROR = 500
TOO_MANY = 429

MERGE = "application/merge-patch+json"
JSON = "application/json"
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)
"""What a request raises when there was no answer at all."""


class ApiError(LabError):
    """The API server said no. `code` is the HTTP status, `reason` the Status object's machine-readable word."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message or f"The API server answered {code}.")
        self.code = code
        self.reason = reason

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later: a conflict, throttling or trouble in the server."""
        return self.code in (CONFLICT, TOO_MANY) or self.code >= SERVER_ERROR


def failure(code: int, body: bytes) -> ApiError:
    """Return the error that an answer describes; a body that is no Status (as for an absent group) is quoted."""
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        return ApiError(code, "", body[:200].decode(errors="replace").strip())
    return ApiError(code, str(status.get("reason", "")), str(status.get("message", "")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A collection that the server serves, as its discovery describes it; `group` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...]
    subresources: tuple[str, ...]


def _resources(answer: Obj) -> Iterator[Resource]:
    """Yield what an APIGroupDiscoveryList lists, each resource in its preferred version."""
    for group in answer["items"]:
        known: set[str] = set()
        for version in group["versions"]:
            for each in version["resources"]:
                if each["resource"] not in known:
                    known.add(each["resource"])
                    yield _resource(group["metadata"].get("name") or "", version["version"], each)


def _resource(group: str, version: str, entry: Obj) -> Resource:
    return Resource(
        group=group,
        version=version,
        plural=entry["resource"],
        kind=entry["responseKind"]["kind"],
        namespaced=entry["scope"] == "Namespaced",
        verbs=tuple(entry.get("verbs") or ()),
        subresources=tuple(below["subresource"] for below in entry.get("subresources") or ()),
    )


class Client:
    """Requests to one API server; an async context manager. Every method raises ApiError, or one of UNREACHABLE."""

    def __init__(self, *, url: str, token: str, ca_pem: bytes | str) -> None:
        context = ssl.create_default_context(cadata=ca_pem if isinstance(ca_pem, str) else ca_pem.decode())
        self._session = aiohttp.ClientSession(
            base_url=url,
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
            headers={"Authorization": f"Bearer {token}", "User-Agent": "l2probe-lab"},
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Obj | None = None,
        query: Mapping[str, str] | None = None,
        content: str = JSON,
        accept: str = JSON,
    ) -> Obj:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": accept, **({"Content-Type": content} if data is not None else {})}
        async with self._session.request(method, path, data=data, params=query, headers=headers) as answer:
            received = await answer.read()
            if answer.status >= 400:  # noqa: PLR2004 - HTTP: 4xx and 5xx are refusals (RFC 9110)
                raise failure(answer.status, received)
        found: Obj = json.loads(received)
        return found

    async def text(self, path: str) -> str:
        """Return a page that is no object, such as /readyz."""
        async with self._session.get(path) as answer:
            received = await answer.read()
            if answer.status >= 400:  # noqa: PLR2004 - HTTP: 4xx and 5xx are refusals (RFC 9110)
                raise failure(answer.status, received)
        return received.decode(errors="replace")

    async def resources(self) -> tuple[Resource, ...]:
        """Return everything that the server serves (aggregated discovery, Kubernetes 1.30 and later)."""
        found = [await self._send("GET", path, accept=DISCOVERY) for path in ("/api", "/apis")]
        return tuple(resource for answer in found for resource in _resources(answer))

    async def may(self, review: Obj) -> bool:
        """Return what the server answers to a SubjectAccessReview."""
        answer = await self._send("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=review)
        return bool(answer["status"]["allowed"])

    async def get(self, kind: Kind, key: Key) -> Obj:
        """Return one object."""
        return await self._send("GET", kind.path(key.namespace, key.name))

    async def list(self, kind: Kind, namespace: str = "") -> tuple[list[Obj], str]:
        """Return all objects (of a namespace) and the resourceVersion at which they were so."""
        answer = await self._send("GET", kind.path(namespace))
        items = answer.get("items") or []
        # Lists leave apiVersion and kind out of their items; what is written back needs them.
        typed = [{**item, "apiVersion": kind.api_version, "kind": kind.name} for item in items]
        return typed, answer["metadata"]["resourceVersion"]

    async def create(self, kind: Kind, obj: Obj) -> Obj:
        """Create the object and return it as stored."""
        return await self._send("POST", kind.path(obj["metadata"].get("namespace", "")), body=obj)

    async def bind(self, pod: Key, uid: str, node: str) -> None:
        """Assign a Pod to a node through its binding subresource, as the scheduler does."""
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": uid},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        await self._send("POST", f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/binding", body=binding)

    async def merge(self, kind: Kind, key: Key, patch: Obj, *, subresource: str = "", manager: str = "") -> Obj:
        """Apply a JSON merge patch (RFC 7396) and return the object; with a stale metadata.resourceVersion: 409."""
        query = {"fieldManager": manager} if manager else None
        path = kind.path(key.namespace, key.name, subresource)
        return await self._send("PATCH", path, body=patch, query=query, content=MERGE)

    async def replace(self, kind: Kind, obj: Obj, *, subresource: str = "") -> Obj:
        """Replace the object by PUT; its resourceVersion must be the current one."""
        key = key_of(obj)
        return await self._send("PUT", kind.path(key.namespace, key.name, subresource), body=obj)

    async def delete(self, kind: Kind, key: Key, *, uid: str = "", grace: int | None = None) -> None:
        """Delete the object; one that is gone already is no error."""
        options: Obj = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            await self._send("DELETE", kind.path(key.namespace, key.name), body=options)
        except ApiError as refusal:
            if refusal.code != NOT_FOUND:
                raise

    async def watch(self, kind: Kind, since: str) -> AsyncIterator[Obj]:
        """Yield watch events after resourceVersion `since` until the server ends the watch; 410 raises ApiError."""
        query = {
            "watch": "true",
            "resourceVersion": since,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_SECONDS)
        async with self._session.get(kind.path(), params=query, timeout=timeout) as answer:
            if answer.status >= 400:  # noqa: PLR2004 - HTTP: 4xx and 5xx are refusals (RFC 9110)
                raise failure(answer.status, await answer.read())
            async for line in _lines(answer.content):
                yield _event(line)


def _event(line: bytes) -> Obj:
    event: Obj = json.loads(line)
    if event["type"] == "ERROR":
        status = event["object"]
        raise ApiError(int(status.get("code", SERVER_ERROR)), status.get("reason", ""), status.get("message", ""))
    return event


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    # StreamReader.readline refuses lines over its buffer limit, and an object may be longer.
    rest = b""
    async for chunk in content.iter_any():
        rest += chunk
        *whole, rest = rest.split(b"\n")
        for line in whole:
            if line.strip():
                yield line
        if len(rest) > MAX_EVENT_BYTES:
            raise LabError(f"The API server sent a watch event longer than {MAX_EVENT_BYTES} bytes.")
