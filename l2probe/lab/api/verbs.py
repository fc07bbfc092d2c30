"""What each verb answers: reads the rest of the request, calls the rules, writes the response. One function each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aiohttp import web

from l2probe.lab.api import protobuf
from l2probe.lab.api.actions import bind, evict, finalize
from l2probe.lab.api.answers import json_answer
from l2probe.lab.api.call import Call, write_options
from l2probe.lab.api.deletion import DeleteOptions, Deletion, delete_options
from l2probe.lab.api.kinds import Kinds
from l2probe.lab.api.logs import LogSource, log_query, silent
from l2probe.lab.api.objects import Json, Obj, decoded, meta, name_of
from l2probe.lab.api.paging import page
from l2probe.lab.api.reading import Options
from l2probe.lab.api.registry import APPLY_PATCH, Registry
from l2probe.lab.api.status import bad_request, method_not_allowed, success
from l2probe.lab.api.tables import Form, form, table, wants_table
from l2probe.lab.api.watch import Stream, read_watch

CREATED: Final = HTTPStatus.CREATED
OK: Final = HTTPStatus.OK
NO_CACHE: Final = {"Cache-Control": "no-cache, private"}


@dataclass(slots=True, kw_only=True)
class Backend:
    """What stands behind the HTTP side. `closing`: streams are to end."""

    registry: Registry
    deletion: Deletion
    kinds: Kinds
    logs: LogSource = silent
    closing: bool = False


def media_type(request: web.Request) -> str:
    """Return the body's media type without parameters."""
    return str(request.headers.get("Content-Type") or "application/json").split(";")[0].strip().lower()


async def read_body(request: web.Request) -> Json:
    """Return the body as JSON, None when there is none; 400 or 415 when it cannot be read."""
    data = await request.read()
    if media_type(request) == protobuf.MEDIA:
        return protobuf.read(data)
    try:
        return decoded(data) if data else None
    except ValueError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error


def _shape(request: web.Request) -> Form | None:
    table_wanted = wants_table(request.headers.get("Accept", ""))
    return form(request.query.get("includeObject", "")) if table_wanted else None


def _options(request: web.Request, *, applying: bool = False) -> Options:
    return write_options(request.query, request.headers.get("User-Agent", ""), applying=applying)


def _one(request: web.Request, call: Call, obj: Obj, *, code: int = OK, options: Options | None = None) -> web.Response:
    shape, warnings = _shape(request), options.warnings if options else ()
    if shape is None:
        return json_answer(call.kind.shown(obj), code=code, warnings=warnings)
    metadata = {"resourceVersion": meta(obj).get("resourceVersion")}
    return json_answer(table(call.kind, [obj], metadata, shape), code=code, warnings=warnings)


def _many(call: Call, items: list[Obj], metadata: Obj) -> web.Response:
    kind = call.kind
    return json_answer({"kind": kind.list_name, "apiVersion": kind.api_version, "metadata": metadata, "items": items})


def _without_type(obj: Obj) -> Obj:
    return {key: value for key, value in obj.items() if key not in {"kind", "apiVersion"}}


async def _stream(request: web.Request, media: str, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": media, **NO_CACHE})
    try:
        await response.prepare(request)
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
    except ConnectionResetError:
        return response
    return response


async def get(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    """Answer one object."""
    return _one(request, call, backend.registry.get(call.kind, call.namespace, call.name))


async def list_(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    """Answer a page of objects; items of built-in kinds carry no kind, as in a real list."""
    found = page(backend.registry.store, call.kind, call.namespace, call.query)
    shape = _shape(request)
    if shape is not None:
        return json_answer(table(call.kind, found.items, found.metadata, shape))
    items = [call.kind.shown(obj) if call.kind.custom else _without_type(obj) for obj in found.items]
    return _many(call, items, found.metadata)


async def watch(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    """Stream events."""
    store = backend.registry.store
    stream = Stream(store, read_watch(store, call, _shape(request)), lambda: backend.closing)
    return await _stream(request, "application/json", stream.lines())


async def create(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    """Create an object."""
    if call.name or call.subresource:
        raise method_not_allowed()
    options, body = _options(request), await read_body(request)
    obj = backend.registry.create(call.kind, call.namespace, body, options)
    return _one(request, call, obj, code=CREATED, options=options)


async def update(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    """Replace an object or its status."""
    options, body = _options(request), await read_body(request)
    obj, made = backend.registry.update(
        call.kind, call.namespace, call.name, body, options, subresource=call.subresource
    )
    return _one(request, call, obj, code=CREATED if made else OK, options=options)


async def patch(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    """Patch or apply an object or its status."""
    media, body = media_type(request), await request.read()
    options = _options(request, applying=media == APPLY_PATCH)
    obj, made = backend.registry.patch(
        call.kind, call.namespace, call.name, body, media=media, options=options, subresource=call.subresource
    )
    return _one(request, call, obj, code=CREATED if made else OK, options=options)


async def _delete_options(request: web.Request) -> DeleteOptions:
    return delete_options(await read_body(request), dict(request.query))


async def delete(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    """Delete an object; the answer is the object where the real server answers it, else a Status."""
    if call.subresource:
        raise method_not_allowed()
    options = await _delete_options(request)
    live = backend.registry.get(call.kind, call.namespace, call.name)
    last, gone = backend.deletion.delete(call.kind, live, options)
    if gone and not call.kind.returned:
        return json_answer(success({**call.kind.resource.details(name_of(last)), "uid": meta(last)["uid"]}))
    return _one(request, call, last)


async def delete_collection(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    """Delete what the selectors select; answer what that was."""
    options = await _delete_options(request)
    found = page(backend.registry.store, call.kind, call.namespace, call.query)
    deleted = [backend.deletion.delete(call.kind, obj, options)[0] for obj in found.items]
    return _many(call, [call.kind.shown(obj) for obj in deleted], found.metadata)


async def log(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    """Stream what a container wrote."""
    pod = backend.registry.get(call.kind, call.namespace, call.name)
    return await _stream(request, "text/plain", backend.logs(log_query(call, pod)))


async def binding(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    """Assign a Pod to a node."""
    if call.verb != "create":
        raise method_not_allowed()
    return json_answer(bind(backend.registry, call, await read_body(request), _options(request)), code=CREATED)


async def eviction(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    """Evict a Pod."""
    if call.verb != "create":
        raise method_not_allowed()
    body = await read_body(request)
    return json_answer(evict(backend.registry, backend.deletion, call, body, _options(request)), code=CREATED)


async def finalize_namespace(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    """Replace a namespace's finalizers."""
    if call.verb != "update":
        raise method_not_allowed()
    return _one(request, call, finalize(backend.registry, call, await read_body(request), _options(request)))


Answer = Callable[[Backend, web.Request, Call], Awaitable[web.StreamResponse]]

VERBS: Final[dict[str, Answer]] = {
    "get": get,
    "list": list_,
    "watch": watch,
    "create": create,
    "update": update,
    "patch": patch,
    "delete": delete,
    "deletecollection": delete_collection,
}
ACTIONS: Final[dict[str, Answer]] = {
    "log": log,
    "binding": binding,
    "eviction": eviction,
    "finalize": finalize_namespace,
}
