"""Objects and their history: one revision counter, one bounded event log a kind. Knows no rule of any kind.

Nothing here awaits, so every operation is atomic. Stored objects are never changed, only replaced.
"""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from l2probe.lab.api.kinds import Storage
from l2probe.lab.api.objects import Obj, meta, name_of, namespace_of

Key = tuple[str, str]
"""Namespace (empty for cluster-wide kinds) and name."""
Place = tuple[Storage, Key]
"""Where an object is kept."""


@dataclass(frozen=True, slots=True)
class Event:
    """One change. `before` is None for ADDED; `after` is the last state of a DELETED object."""

    revision: int
    type: str
    before: Obj | None
    after: Obj


class Log:
    """The last events of one kind. `expired` is the newest revision that was forgotten, 0 when none was."""

    def __init__(self, size: int) -> None:
        self._events: deque[Event] = deque(maxlen=size)
        self._waiting: list[Future[None]] = []
        self.expired = 0

    def append(self, event: Event) -> None:
        """Add an event and wake who waits."""
        if len(self._events) == self._events.maxlen:
            self.expired = self._events[0].revision
        self._events.append(event)
        self.wake()

    def wake(self) -> None:
        """Let everyone who waits look again."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def since(self, revision: int) -> list[Event]:
        """Return the events after `revision`, oldest first."""
        found = []
        for event in reversed(self._events):
            if event.revision <= revision:
                break
            found.append(event)
        return found[::-1]

    def next_event(self) -> Future[None]:
        """Return a future that is done when something was appended."""
        future = get_running_loop().create_future()
        self._waiting = [each for each in self._waiting if not each.done()]
        self._waiting.append(future)
        return future


class Store:
    """All objects by kind, namespace and name. `history`: how many events of each kind are remembered."""

    def __init__(self, history: int) -> None:
        self._history = history
        self._objects: dict[Storage, dict[Key, Obj]] = {}
        self._logs: dict[Storage, Log] = {}
        self._places: dict[str, Place] = {}
        self._dependents: dict[str, set[Place]] = {}
        self.revision = 1

    def log(self, storage: Storage) -> Log:
        """Return a kind's event log."""
        return self._logs.setdefault(storage, Log(self._history))

    def logs(self) -> Iterator[Log]:
        """Yield all logs that were asked for."""
        yield from self._logs.values()

    def get(self, storage: Storage, namespace: str, name: str) -> Obj | None:
        """Return one object."""
        return self._objects.get(storage, {}).get((namespace, name))

    def objects(self, storage: Storage, namespace: str = "") -> list[Obj]:
        """Return a kind's objects (of one namespace) by namespace and name."""
        found = self._objects.get(storage, {})
        return [found[key] for key in sorted(found) if not namespace or key[0] == namespace]

    def by_uid(self, uid: str) -> tuple[Storage, Obj] | None:
        """Return the object that has this uid, and where it is kept."""
        place = self._places.get(uid)
        return None if place is None else (place[0], self._objects[place[0]][place[1]])

    def dependents(self, uid: str) -> list[tuple[Storage, Obj]]:
        """Return the objects whose ownerReferences name this uid."""
        return [(storage, self._objects[storage][key]) for storage, key in sorted(self._dependents.get(uid, ()))]

    def put(self, storage: Storage, obj: Obj) -> Obj:
        """Keep `obj`, which becomes the store's own, under the next revision; return it."""
        objects, key = self._objects.setdefault(storage, {}), (namespace_of(obj), name_of(obj))
        before = objects.get(key)
        self._stamp(obj)
        objects[key] = obj
        self._index((storage, key), before, obj)
        self.log(storage).append(Event(self.revision, "ADDED" if before is None else "MODIFIED", before, obj))
        return obj

    def remove(self, storage: Storage, obj: Obj) -> Obj:
        """Forget an object; return its last state, which carries the revision of the deletion."""
        key = (namespace_of(obj), name_of(obj))
        before = self._objects[storage].pop(key)
        last = {**obj, "metadata": dict(meta(obj))}
        self._stamp(last)
        self._index((storage, key), before, None)
        self.log(storage).append(Event(self.revision, "DELETED", before, last))
        return last

    def _index(self, place: Place, before: Obj | None, after: Obj | None) -> None:
        if before is not None:
            self._places.pop(meta(before)["uid"], None)
            for uid in owner_uids(before):
                self._dependents[uid].discard(place)
                if not self._dependents[uid]:
                    del self._dependents[uid]
        if after is not None:
            self._places[meta(after)["uid"]] = place
            for uid in owner_uids(after):
                self._dependents.setdefault(uid, set()).add(place)

    def _stamp(self, obj: Obj) -> None:
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)


def owner_uids(obj: Obj) -> set[str]:
    """Return the uids of an object's owners."""
    return {str(reference.get("uid")) for reference in meta(obj).get("ownerReferences") or ()}
