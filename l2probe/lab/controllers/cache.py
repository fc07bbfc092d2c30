"""All objects of one kind, kept equal to the server by list and watch: a shared informer. Never writes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

from l2probe.lab.controllers.client import GONE, UNREACHABLE, ApiError, Client
from l2probe.lab.controllers.kinds import Kind
from l2probe.lab.controllers.objects import Key, Obj, key_of, uid_of

RETRY_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Pauses between attempts to reach a server that does not answer; the last one repeats."""

Changed = Callable[[Obj | None, Obj | None], None]
"""Called with the object before and after a change; None where it did not or does not exist."""

_log = logging.getLogger(__name__)


def version_of(obj: Obj) -> int:
    """Return the resourceVersion as the number that etcd and the embedded server count with."""
    return int(obj["metadata"].get("resourceVersion") or 0)


class Cache:
    """What the server is known to hold of one kind.

    Of those, `wanted` says which concern us. Objects are shared: read them, never change them. `store` takes what a
    write returned, so that a controller reads its own writes before the watch delivers them.
    """

    def __init__(self, client: Client, kind: Kind, wanted: Callable[[Obj], bool] = lambda _: True) -> None:
        self.kind = kind
        self._wanted = wanted
        self.synced = asyncio.Event()
        self._client = client
        self._items: dict[Key, Obj] = {}
        self._listeners: list[Changed] = []
        self._seen = 0
        self._news = asyncio.Event()

    def __iter__(self) -> Iterator[Obj]:
        return iter(tuple(self._items.values()))

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Key) -> Obj | None:
        """Return the object of that name, or None."""
        return self._items.get(key)

    def subscribe(self, changed: Changed) -> None:
        """Call `changed` for every object that is there, and for each change from now on."""
        self._listeners.append(changed)
        for item in self:
            changed(None, item)

    def store(self, obj: Obj) -> None:
        """Take an object that a write returned; older news than the watch brought already is ignored."""
        if version_of(obj) > self._seen:
            self._put(obj)

    def _put(self, obj: Obj) -> None:
        if not self._wanted(obj):
            return
        key = key_of(obj)
        before = self._items.get(key)
        if before is not None and uid_of(before) == uid_of(obj) and version_of(before) >= version_of(obj):
            return
        self._items[key] = obj
        self._tell(before, obj)

    def _drop(self, obj: Obj) -> None:
        before = self._items.get(key_of(obj))
        if before is not None and uid_of(before) == uid_of(obj):
            del self._items[key_of(obj)]
            self._tell(before, None)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return when `holds` does; it is asked again after each change."""
        while not holds():
            await self._news.wait()

    def _tell(self, before: Obj | None, after: Obj | None) -> None:
        for changed in tuple(self._listeners):
            changed(before, after)
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def run(self) -> None:
        """Keep the cache true until cancelled: list, watch, resume after a break, list again after 410 Gone."""
        since: str | None = None
        attempt = 0
        while True:
            try:
                since = await self._list() if since is None else since
                async for event in self._client.watch(self.kind, since):
                    since = self._take(event)
                    attempt = 0
            except ApiError as refusal:
                _log.info("%s: %s", self.kind.plural, refusal)
                since = None if refusal.code == GONE else since
            except UNREACHABLE as broken:
                _log.info("%s: %s", self.kind.plural, broken)
            else:
                continue
            await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1

    async def _list(self) -> str:
        items, version = await self._client.list(self.kind)
        self._seen = max(self._seen, int(version))
        there = {key_of(item) for item in items}
        for gone in [item for key, item in self._items.items() if key not in there and version_of(item) <= self._seen]:
            self._drop(gone)
        for item in items:
            self._put(item)
        self.synced.set()
        return version

    def _take(self, event: Obj) -> str:
        obj = event["object"]
        self._seen = max(self._seen, version_of(obj))
        if event["type"] == "DELETED":
            self._drop(obj)
        elif event["type"] != "BOOKMARK":
            self._put(obj)
        return str(obj["metadata"]["resourceVersion"])
