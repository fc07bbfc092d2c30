"""Empties and finalizes terminating namespaces, for API servers that run without kube-controller-manager (envtest)."""

from __future__ import annotations

import asyncio

from l2probe.lab.controllers import kinds
from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.client import NOT_FOUND, ApiError
from l2probe.lab.controllers.objects import Key, Obj, dig, key_of
from l2probe.lab.controllers.plane import Plane

LOOK_AGAIN_SECONDS = 0.2


class Namespaces:
    """Started only when asked for: the embedded API server does this itself."""

    def __init__(self, plane: Plane, namespaces: Cache) -> None:
        self._plane = plane
        self._cache = namespaces
        self._queue = plane.queue(self._reconcile)
        namespaces.subscribe(self._changed)

    def _changed(self, _before: Obj | None, after: Obj | None) -> None:
        if after is not None and after["metadata"].get("deletionTimestamp"):
            self._queue.add(key_of(after))

    async def _reconcile(self, key: Key) -> None:
        found = self._cache.get(key)
        if found is None or "kubernetes" not in (dig(found, "spec", "finalizers") or ()):
            return
        if await self._empty(key.name):
            finalizers = [name for name in found["spec"]["finalizers"] if name != "kubernetes"]
            await self._plane.client.replace(
                kinds.NAMESPACE, {**found, "spec": {**found["spec"], "finalizers": finalizers}}, subresource="finalize"
            )
        else:
            # Pods go when their kubelet has ended them.
            self._queue.add_after(key, LOOK_AGAIN_SECONDS)

    async def _empty(self, namespace: str) -> bool:
        """Delete what is there; say whether nothing is left."""
        *content, events = await self._content()
        left = sum(await asyncio.gather(*(self._clear(kind, namespace) for kind in content)))
        # Events last, as deleting the rest causes some.
        return left + await self._clear(events, namespace) == 0

    async def _content(self) -> tuple[kinds.Kind, ...]:
        """Return every kind that a namespace can hold, Events last; events.k8s.io shows the same ones again."""
        found = [
            kinds.Kind(group=each.group, version=each.version, plural=each.plural, name=each.kind)
            for each in await self._plane.client.resources()
            if each.namespaced and {"list", "delete"} <= set(each.verbs) and each.plural != kinds.EVENT.plural
        ]
        return (*found, kinds.EVENT)

    async def _clear(self, kind: kinds.Kind, namespace: str) -> int:
        """Delete what there is of a kind; return how much it was."""
        items, _ = await self._plane.client.list(kind, namespace)
        going = (item for item in items if not item["metadata"].get("deletionTimestamp"))
        await asyncio.gather(*(self._delete(kind, key_of(item)) for item in going))
        return len(items)

    async def _delete(self, kind: kinds.Kind, key: Key) -> None:
        try:
            await self._plane.client.delete(kind, key)
        except ApiError as refusal:
            if refusal.code != NOT_FOUND:
                raise
