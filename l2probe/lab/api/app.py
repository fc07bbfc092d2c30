"""The HTTP side: who asks, which page or resource, and every refusal as a Status. What verbs do is in verbs.py."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from aiohttp import web

from l2probe.lab.api import discovery, openapi, openapi2
from l2probe.lab.api.actions import review
from l2probe.lab.api.answers import json_answer, no_such_page, status_answer
from l2probe.lab.api.call import NoSuchPage, read_call
from l2probe.lab.api.faults import Faults, Handler
from l2probe.lab.api.rbac import Rights, User, impersonated
from l2probe.lab.api.status import ApiError, bad_request, too_large, unauthorized
from l2probe.lab.api.verbs import ACTIONS, VERBS, Backend, read_body
from l2probe.lab.api.version import version_info

LARGEST: Final = 3 * 1024 * 1024
OPEN_PATHS: Final = frozenset({"healthz", "livez", "readyz", "version"})
"""What strangers may read (the ClusterRole system:public-info-viewer)."""


class App:
    """Answers requests. `users` maps tokens to who they belong to."""

    def __init__(self, backend: Backend, users: dict[str, User], git_version: str) -> None:
        self.backend = backend
        self.rights = Rights(backend.registry.store)
        self.faults = Faults(self.user)
        self._users, self._git_version = users, git_version

    def application(self) -> web.Application:
        """Return the aiohttp application."""
        app = web.Application(middlewares=[self._guard, self.faults.middleware], client_max_size=LARGEST)
        app.router.add_route("*", "/{path:.*}", self._serve)
        return app

    def close(self) -> None:
        """Let every stream and every hanging request end."""
        self.backend.closing = True
        self.faults.close()
        for log in self.backend.registry.store.logs():
            log.wake()

    def user(self, request: web.Request) -> User | None:
        """Return whose request it is, or for whom somebody we know wants to be taken; None for a stranger's."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        known = self._users.get(token.strip()) if scheme.lower() == "bearer" else None
        name = request.headers.get("Impersonate-User")
        if known is None or not name:
            return known
        return impersonated(name, tuple(request.headers.getall("Impersonate-Group", [])))

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if self.user(request) is None and not OPEN_PATHS.intersection(_parts(request)[:1]):
                raise unauthorized()
            return await handler(request)
        except ApiError as error:
            return status_answer(error)
        except NoSuchPage:
            return no_such_page()
        except RecursionError:
            return status_answer(bad_request("the object provided is nested too deeply"))
        except web.HTTPRequestEntityTooLarge:
            return status_answer(too_large(LARGEST))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        parts = _parts(request)
        if OPEN_PATHS.intersection(parts[:1]):
            return self._health(parts)
        match parts:
            case ["openapi", *place]:
                return self._openapi(request, place)
            case ["api"] | ["apis"]:
                return self._groups(request, core=parts == ["api"])
            case ["api", version]:
                return self._resources("", version)
            case ["apis", group, *versions] if len(versions) <= 1:
                return self._resources(group, versions[0]) if versions else self._group(group)
            case _:
                return await self._resource(request)

    def _health(self, parts: list[str]) -> web.Response:
        return json_answer(version_info(self._git_version)) if parts == ["version"] else web.Response(text="ok")

    def _openapi(self, request: web.Request, place: list[str]) -> web.Response:
        kinds = self.backend.kinds
        match place:
            case ["v2"] if openapi2.MEDIA in request.headers.get("Accept", ""):
                return web.Response(body=openapi2.document(kinds), content_type="application/octet-stream")
            case ["v3"]:
                return json_answer(openapi.index(kinds))
            case ["v3", "api", version] if version in kinds.versions(""):
                return json_answer(openapi.document(kinds, "", version))
            case ["v3", "apis", group, version] if version in kinds.versions(group):
                return json_answer(openapi.document(kinds, group, version))
        raise NoSuchPage

    def _groups(self, request: web.Request, *, core: bool) -> web.Response:
        kinds = self.backend.kinds
        wanted = discovery.aggregated_media(request.headers.get("Accept", ""))
        if wanted is not None:
            return json_answer(discovery.aggregated(kinds, core=core, version=wanted[0]), media=wanted[1])
        return json_answer(discovery.api_versions(request.host) if core else discovery.group_list(kinds))

    def _group(self, name: str) -> web.Response:
        if not self.backend.kinds.versions(name):
            raise NoSuchPage
        return json_answer(discovery.group(self.backend.kinds, name))

    def _resources(self, group: str, version: str) -> web.Response:
        if version not in self.backend.kinds.versions(group):
            raise NoSuchPage
        return json_answer(discovery.resource_list(self.backend.kinds, group, version))

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        call = read_call(self.backend.kinds, request.method, request.path, request.query)
        user = self.user(request)
        if user is None:
            raise unauthorized()
        self.rights.check(user, call)
        if call.kind.verbs == ("create",):
            answer = review(call.kind, user, self.rights, await read_body(request))
            return json_answer(answer, code=HTTPStatus.CREATED)
        handle = ACTIONS.get(call.subresource) or VERBS[call.verb]
        return await handle(self.backend, request, call)


def _parts(request: web.Request) -> list[str]:
    return [part for part in request.path.split("/") if part]
