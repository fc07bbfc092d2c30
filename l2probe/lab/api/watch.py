"""Watches: the events of a kind after a revision, as a stream of JSON lines. Reads the store's log; changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from l2probe.lab.api.call import Call, flag, number
from l2probe.lab.api.objects import Obj, encoded, meta, namespace_of
from l2probe.lab.api.paging import check_revision
from l2probe.lab.api.selectors import Test, selector
from l2probe.lab.api.status import bad_request, expired
from l2probe.lab.api.store import Event, Store
from l2probe.lab.api.tables import Form, table

BOOKMARK_EVERY: Final = 60.0
LONGEST: Final = 3600.0
INITIAL_END: Final = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is watched, and how it is to be shown. `form` is set when rows of a Table are wanted."""

    call: Call
    test: Test | None
    form: Form | None
    bookmarks: bool
    timeout: float
    since: int
    initial: bool
    announce_end: bool


def read_watch(store: Store, call: Call, shape: Form | None) -> Watch:
    """Read a watch request; 400 or 504 when it is malformed."""
    query = call.query
    check_revision(store, query)
    fields = query.get("fieldSelector", "")
    if call.name:
        fields = ",".join(filter(None, [fields, f"metadata.name={call.name}"]))
    since = number(query, "resourceVersion")
    announce_end = flag(query, "sendInitialEvents")
    if announce_end and query.get("resourceVersionMatch") != "NotOlderThan":
        raise bad_request(
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        )
    return Watch(
        call=call,
        test=selector(call.kind, query.get("labelSelector", ""), fields),
        form=shape,
        bookmarks=flag(query, "allowWatchBookmarks"),
        timeout=min(float(number(query, "timeoutSeconds")) or LONGEST, LONGEST),
        since=since,
        initial=since == 0 or announce_end,
        announce_end=announce_end,
    )


def _selected(watch: Watch, obj: Obj | None) -> bool:
    if obj is None or (watch.call.namespace and namespace_of(obj) != watch.call.namespace):
        return False
    return watch.test is None or watch.test(obj)


def seen(watch: Watch, events: Iterable[Event]) -> Iterator[tuple[str, Obj]]:
    """Yield what the watcher sees: an object that leaves the selection is DELETED, one that enters it ADDED."""
    for event in events:
        before = _selected(watch, event.before)
        after = event.type != "DELETED" and _selected(watch, event.after)
        if after:
            yield ("MODIFIED" if before else "ADDED"), event.after
        elif before:
            last = event.after if event.type == "DELETED" else event.before or event.after
            version = event.after["metadata"]["resourceVersion"]
            yield "DELETED", {**last, "metadata": {**meta(last), "resourceVersion": version}}


class Stream:
    """One running watch."""

    def __init__(self, store: Store, watch: Watch, closing: Callable[[], bool]) -> None:
        self._store, self._watch, self._closing = store, watch, closing
        self._log = store.log(watch.call.kind.storage)
        self._heads = True

    def _shown(self, obj: Obj) -> Obj:
        kind, form = self._watch.call.kind, self._watch.form
        if form is None:
            return kind.shown(obj)
        heads, self._heads = self._heads, False
        version = meta(obj).get("resourceVersion")
        return table(kind, [obj], {"resourceVersion": version}, form, heads=heads)

    def _line(self, what: str, obj: Obj) -> bytes:
        return encoded({"type": what, "object": obj}) + b"\n"

    def _bookmark(self, revision: int, *, end: bool = False) -> bytes:
        kind = self._watch.call.kind
        metadata: Obj = {"resourceVersion": str(revision), "creationTimestamp": None}
        if end:
            metadata["annotations"] = {INITIAL_END: "true"}
        return self._line("BOOKMARK", {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata})

    def _start(self) -> bytes:
        watch = self._watch
        objects = self._store.objects(watch.call.kind.storage, watch.call.namespace) if watch.initial else ()
        lines = [self._line("ADDED", self._shown(obj)) for obj in objects if _selected(watch, obj)]
        if watch.announce_end:
            lines.append(self._bookmark(self._store.revision, end=True))
        return b"".join(lines)

    async def _changed(self, seconds: float) -> bool:
        future = self._log.next_event()
        done, _ = await asyncio.wait([future], timeout=seconds)
        return bool(done)

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield chunks of whole JSON lines until time is over, history is lost (ERROR 410) or the server closes."""
        clock = asyncio.get_running_loop().time
        end = clock() + self._watch.timeout
        cursor = self._store.revision if self._watch.initial else self._watch.since
        if cursor >= self._log.expired:
            yield self._start()
        while not self._closing() and clock() < end:
            if cursor < self._log.expired:
                yield self._expired(cursor)
                return
            events = self._log.since(cursor)
            cursor = events[-1].revision if events else cursor
            if chunk := b"".join(self._line(what, self._shown(obj)) for what, obj in seen(self._watch, events)):
                yield chunk
            if not await self._changed(min(BOOKMARK_EVERY, end - clock())) and self._watch.bookmarks:
                cursor = max(cursor, self._store.revision)
                yield self._bookmark(cursor)

    def _expired(self, cursor: int) -> bytes:
        error = expired(f"too old resource version: {cursor} ({self._log.expired})")
        return self._line("ERROR", error.body())
