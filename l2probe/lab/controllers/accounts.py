"""Gives each namespace its default account and the cluster's CA, for API servers without kube-controller-manager."""

from __future__ import annotations

import asyncio

from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.client import FORBIDDEN, NOT_FOUND, ApiError
from l2probe.lab.controllers.kinds import CONFIG_MAP, SERVICE_ACCOUNT, Kind
from l2probe.lab.controllers.making import ensure
from l2probe.lab.controllers.objects import Key, Obj, key_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.controllers.system import service_account

ROOT_CA = "kube-root-ca.crt"


class Accounts:
    """As the service account controller and the root CA publisher; `ca_pem` is what clients trust."""

    def __init__(self, plane: Plane, namespaces: Cache, ca_pem: str) -> None:
        self._plane = plane
        self._namespaces = namespaces
        self._ca_pem = ca_pem
        self._queue = plane.queue(self._reconcile)
        namespaces.subscribe(self._changed)

    def _changed(self, before: Obj | None, after: Obj | None) -> None:
        if before is None and after is not None:
            self._queue.add(key_of(after))

    async def _reconcile(self, key: Key) -> None:
        found = self._namespaces.get(key)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return
        authority = {
            "apiVersion": CONFIG_MAP.api_version,
            "kind": CONFIG_MAP.name,
            "metadata": {"name": ROOT_CA, "namespace": key.name},
            "data": {"ca.crt": self._ca_pem},
        }
        wanted = ((SERVICE_ACCOUNT, service_account("default", key.name)), (CONFIG_MAP, authority))
        await asyncio.gather(*(self._ensure(kind, obj) for kind, obj in wanted))

    async def _ensure(self, kind: Kind, obj: Obj) -> None:
        try:
            await ensure(self._plane.client, kind, obj)
        except ApiError as refusal:
            # A namespace that goes again takes nothing new.
            if refusal.code not in (NOT_FOUND, FORBIDDEN):
                raise
