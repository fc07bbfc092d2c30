"""Makes objects on an API server on which they may be already: those are left alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from l2probe.lab.controllers.client import CONFLICT, NOT_FOUND, ApiError, Client
from l2probe.lab.controllers.kinds import Kind
from l2probe.lab.controllers.objects import Obj, key_of

SERVED_SECONDS = 10.0
"""How long a real API server may take to serve a new CustomResourceDefinition."""
SERVED_PAUSE_SECONDS = 0.02


def body(kind: Kind, name: str, namespace: str = "", **content: object) -> Obj:
    """Return an object of this kind and name."""
    metadata: Obj = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **content}


async def ensure(client: Client, kind: Kind, obj: Obj) -> Obj:
    """Create the object and return it, or the one that has its name already."""
    try:
        return await client.create(kind, obj)
    except ApiError as refusal:
        if refusal.code != CONFLICT:
            raise
    return await client.get(kind, key_of(obj))


async def ensure_custom(client: Client, kind: Kind, obj: Obj) -> None:
    """Create an object of a kind that was defined just now."""
    deadline = time.monotonic() + SERVED_SECONDS
    while True:
        try:
            await ensure(client, kind, obj)
        except ApiError as refusal:
            if refusal.code != NOT_FOUND or time.monotonic() > deadline:
                raise
            await asyncio.sleep(SERVED_PAUSE_SECONDS)
        else:
            return


async def ensure_all(client: Client, pairs: Iterable[tuple[Kind, Obj]]) -> None:
    """Create all of these, side by side."""
    await asyncio.gather(*(ensure(client, kind, obj) for kind, obj in pairs))
