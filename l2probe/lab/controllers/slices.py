"""The EndpointSlices of each Service, as whoever announces it learns them; and whether a change matters."""

from __future__ import annotations

from collections.abc import Callable

from l2probe.lab.controllers.endpoints import SERVICE_NAME
from l2probe.lab.controllers.objects import Key, Obj, dig, labels_of
from l2probe.lab.controllers.plane import Plane

Path = tuple[str, ...]


def differs(before: Obj | None, after: Obj | None, *paths: Path) -> bool:
    """Say whether an object came, went or changed at one of these paths."""
    return before is None or after is None or any(dig(before, *path) != dig(after, *path) for path in paths)


class Slices:
    """One memory; `changed` is called with each Service of which a slice came, went or changed."""

    def __init__(self, changed: Callable[[Key], None]) -> None:
        self._changed = changed
        self._known: dict[Key, dict[str, Obj]] = {}

    def watch(self, plane: Plane) -> None:
        """Start to learn."""
        plane.slices.subscribe(self._learn)

    def _learn(self, before: Obj | None, after: Obj | None) -> None:
        part = after or before or {}
        service = Key(part["metadata"]["namespace"], labels_of(part).get(SERVICE_NAME, ""))
        if after is None:
            self._known.get(service, {}).pop(part["metadata"]["name"], None)
        else:
            self._known.setdefault(service, {})[part["metadata"]["name"]] = after
        self._changed(service)

    def of(self, service: Key) -> tuple[Obj, ...]:
        """Return the slices of a Service."""
        return tuple(self._known.get(service, {}).values())

    def forget(self, service: Key) -> None:
        """Drop what is known about a Service that is gone."""
        self._known.pop(service, None)
