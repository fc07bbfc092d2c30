"""Makes the server misbehave on purpose, for tests of its clients: an aiohttp middleware in front of everything."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from l2probe.lab.api.rbac import User
from l2probe.lab.api.status import internal, too_many

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

KINDS: Final = ("429", "500", "hang", "drop")


@dataclass(slots=True)
class Fault:
    """One kind of misbehaviour for the next `times` requests that match."""

    method: str
    path: re.Pattern[str]
    kind: str
    times: int

    def matches(self, request: web.Request) -> bool:
        """Say whether this request is to be spoilt."""
        return self.times > 0 and self.method in {"*", request.method} and bool(self.path.search(request.path_qs))


class Faults:
    """The faults that are armed. `who` tells whose request it is: only restricted users are bothered."""

    def __init__(self, who: Callable[[web.Request], User | None]) -> None:
        self._who = who
        self._armed: list[Fault] = []
        self._closing = asyncio.Event()

    def arm(self, method: str, path_regex: str, kind: str, *, times: int) -> None:
        """Spoil the next requests whose method (`*`: any) and path with query match; ValueError for an unknown kind."""
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
        self._armed.append(Fault(method, re.compile(path_regex), kind, times))

    def disarm(self) -> None:
        """Behave again."""
        self._armed.clear()

    def close(self) -> None:
        """Let hanging requests go."""
        self._closing.set()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer, or spoil, one request."""
        fault = next((fault for fault in self._armed if fault.matches(request)), None)
        user = self._who(request)
        if fault is None or user is None or not user.restricted:
            return await handler(request)
        fault.times -= 1
        if fault.kind == "429":
            raise too_many("")
        if fault.kind == "500":
            raise internal("this server misbehaves on purpose")
        if fault.kind == "hang":
            await self._closing.wait()
        if request.transport is not None:
            request.transport.abort()
        raise asyncio.CancelledError
