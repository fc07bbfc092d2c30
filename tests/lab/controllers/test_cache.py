"""The informer stays equal to the server, whatever happens to its watch, and reads its own writes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from l2probe.lab.api import ApiServer, start_api
from l2probe.lab.controllers.cache import Cache
from l2probe.lab.controllers.client import ApiError, Client
from l2probe.lab.controllers.kinds import CONFIG_MAP, LEASE, SERVICE
from l2probe.lab.controllers.objects import Key, Obj


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A server, a client whose requests can be spoilt, one whose cannot, and a cache over the first."""

    api: ApiServer
    client: Client
    steady: Client
    cache: Cache

    async def holds(self, *names: str) -> None:
        """Wait until the cache holds exactly these."""
        async with asyncio.timeout(10):
            await self.cache.until(lambda: {item["metadata"]["name"] for item in self.cache} == set(names))


@contextlib.asynccontextmanager
async def scene(history: int = 4096) -> AsyncIterator[Scene]:
    """Serve an API with a cache of the ConfigMaps of namespace default."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"https://127.0.0.1:{listening.getsockname()[1]}"
    api = await start_api([listening], history=history)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(api.close)
        client = await stack.enter_async_context(Client(url=url, token=api.token, ca_pem=api.ca_pem))
        steady = await stack.enter_async_context(Client(url=url, token=api.system_token, ca_pem=api.ca_pem.decode()))
        for item in (await steady.list(CONFIG_MAP))[0]:
            await steady.delete(CONFIG_MAP, Key(item["metadata"]["namespace"], item["metadata"]["name"]))
        yield Scene(api=api, client=client, steady=steady, cache=Cache(client, CONFIG_MAP))


@contextlib.asynccontextmanager
async def following(cache: Cache) -> AsyncIterator[None]:
    """Run the cache."""
    task = asyncio.create_task(cache.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def config_map(name: str, **data: str) -> Obj:
    """Return a ConfigMap of namespace default."""
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_it_lists_and_follows() -> None:
    """Objects of before and after the list are there, changes and deletions too; listeners hear each once."""
    heard: list[tuple[str, str]] = []

    def listen(before: Obj | None, after: Obj | None) -> None:
        name = (after or before or {})["metadata"]["name"]
        heard.append((name, "gone" if after is None else "new" if before is None else "changed"))

    async def law() -> None:
        async with scene() as at, following(at.cache):
            await at.cache.synced.wait()
            at.cache.subscribe(listen)
            await at.steady.create(CONFIG_MAP, config_map("a"))
            await at.steady.create(CONFIG_MAP, config_map("b"))
            await at.steady.merge(CONFIG_MAP, Key("default", "b"), {"data": {"x": "y"}})
            await at.steady.delete(CONFIG_MAP, Key("default", "a"))
            await at.holds("b")

            assert heard == [("a", "new"), ("b", "new"), ("b", "changed"), ("a", "gone")]
            assert (at.cache.get(Key("default", "b")) or {})["data"] == {"x": "y"}

    asyncio.run(law())


@pytest.mark.parametrize("trouble", ["drop", "500", "429"])
def test_it_survives_a_spoilt_watch(trouble: str) -> None:
    """A list and watches that fail are tried again, and nothing is missed."""

    async def law() -> None:
        async with scene() as at:
            at.api.misbehave("GET", "configmaps$", trouble)
            at.api.misbehave("GET", "watch=true", trouble, times=2)
            async with following(at.cache):
                await at.steady.create(CONFIG_MAP, config_map("a"))
                await at.holds("a")

    asyncio.run(law())


def test_it_lists_again_when_its_place_in_history_is_gone() -> None:
    """While the watch is broken the server forgets what happened (410): the cache lists, and drops what is gone."""

    async def law() -> None:
        async with scene(history=3) as at, following(at.cache):
            await at.steady.create(CONFIG_MAP, config_map("old"))
            await at.holds("old")
            at.api.misbehave("GET", "watch=true", "500", times=1)
            await end_watches(at)
            for number in range(6):
                await at.steady.create(CONFIG_MAP, config_map(f"n{number}"))
            await at.steady.delete(CONFIG_MAP, Key("default", "old"))
            await at.holds(*(f"n{number}" for number in range(6)))

    asyncio.run(law())


async def end_watches(at: Scene) -> None:
    """Cut the connections of the cache's client."""
    connector = at.client._session.connector
    assert connector is not None
    for protocol in tuple(connector._acquired):
        if protocol.transport is not None:
            protocol.transport.abort()
    await asyncio.sleep(0)


def test_what_a_write_returned_is_read_at_once_and_never_resurrects() -> None:
    """`store` makes a write visible before the watch does; older news and news of the dead are ignored."""

    async def law() -> None:
        async with scene() as at:
            made = await at.steady.create(CONFIG_MAP, config_map("a"))
            at.cache.store(made)
            assert at.cache.get(Key("default", "a")) == made
            async with following(at.cache):
                await at.cache.synced.wait()
                changed = await at.steady.merge(CONFIG_MAP, Key("default", "a"), {"data": {"x": "y"}})
                at.cache.store(changed)
                at.cache.store(made)
                assert at.cache.get(Key("default", "a")) == changed
                await at.steady.delete(CONFIG_MAP, Key("default", "a"))
                await at.holds()
                at.cache.store(changed)
                assert at.cache.get(Key("default", "a")) is None

    asyncio.run(law())


def test_refusals_carry_code_reason_and_words() -> None:
    """A Status becomes an ApiError; conflicts and server trouble may pass, the rest does not."""

    async def law() -> None:
        async with scene() as at:
            made = await at.client.create(CONFIG_MAP, config_map("a"))
            await at.client.merge(CONFIG_MAP, Key("default", "a"), {"data": {"x": "y"}})
            with pytest.raises(ApiError, match="has been modified") as stale:
                await at.client.replace(CONFIG_MAP, made)
            with pytest.raises(ApiError, match='services "none" not found') as absent:
                await at.client.get(SERVICE, Key("default", "none"))
            at.api.restrict(("list", "coordination.k8s.io", "leases"), allowed=False)
            with pytest.raises(ApiError, match="forbidden") as denied:
                await at.client.list(LEASE)
            await at.client.delete(SERVICE, Key("default", "none"))

            facts = [(each.value.code, each.value.reason, each.value.passing) for each in (stale, absent, denied)]
            assert facts == [(409, "Conflict", True), (404, "NotFound", False), (403, "Forbidden", False)]

    asyncio.run(law())
