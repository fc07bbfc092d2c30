"""Empties and finalizes terminating namespaces, for API servers that run without kube-controller-manager (envtest)."""

from __future__ import annotations

from l2probe.lab.controllers import kinds
from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.client import NOT_FOUND, ApiError
from l2probe.lab.controllers.objects import Key, Obj, dig, key_of
from l2probe.lab.controllers.plane import Plane

CONTENT = (
    kinds.SERVICE,
    kinds.POD,
    kinds.SLICE,
    kinds.CONFIG_MAP,
    kinds.SECRET,
    kinds.SERVICE_ACCOUNT,
    kinds.LEASE,
    kinds.DAEMON_SET,
    kinds.DEPLOYMENT,
    kinds.EVENT,
)
"""What is deleted; Events last, as deleting the rest causes some."""
LOOK_AGAIN_SECONDS = 0.2


class Namespaces:
    """Started only when asked for: the embedded API server does this itself."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._cache = Cache(plane.client, kinds.NAMESPACE)
        self._queue = plane.queue(self._reconcile)
        self._cache.subscribe(self._changed)
        plane.tasks.start(self._cache.run())

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
        left = 0
        for kind in CONTENT:
            items, _ = await self._plane.client.list(kind, namespace)
            for item in items:
                if not item["metadata"].get("deletionTimestamp"):
                    await self._delete(kind, key_of(item))
            left += len(items)
        return left == 0

    async def _delete(self, kind: kinds.Kind, key: Key) -> None:
        try:
            await self._plane.client.delete(kind, key)
        except ApiError as refusal:
            if refusal.code != NOT_FOUND:
                raise
