"""LB IPAM over the API: what a person who watches a Service sees."""

from __future__ import annotations

import asyncio
import socket

from l2probe.lab.api import start_api
from l2probe.lab.controllers import crds, system
from l2probe.lab.controllers.client import Client
from l2probe.lab.controllers.ipam import Ipam
from l2probe.lab.controllers.kinds import CRD, SERVICE, pool
from l2probe.lab.controllers.objects import Key
from l2probe.lab.controllers.plane import make_plane
from l2probe.lab.profiles import DEFAULT, PROFILES
from tests.lab.controllers.harness import condition, running, service, vips

POOL = pool("v2")
CONFLICT = "cilium.io/PoolConflict"
SATISFIED = "cilium.io/IPAMRequestSatisfied"


def test_an_address_comes_with_its_condition_and_is_counted() -> None:
    """The Service says satisfied in the recorded form, under the operator's field manager, and the pool counts it."""

    async def law() -> None:
        async with running() as lab:
            await lab.make(SERVICE, service("web"))
            found = await lab.addressed("web")
            await lab.obj(POOL, Key("", "lab"), lambda obj: condition(obj, "cilium.io/IPsUsed")["message"] == "6")
            said = condition(found, SATISFIED)
            managers = {entry["manager"] for entry in found["metadata"]["managedFields"]}

            assert (said["status"], said["reason"], said["message"]) == ("True", "satisfied", "")
            assert found["status"]["loadBalancer"]["ingress"][0] == {"ip": "198.51.100.42", "ipMode": "VIP"}
            assert "cilium-operator-lb-ipam" in managers

    asyncio.run(law())


def test_a_wanted_address_that_is_taken_is_pending_until_it_is_free() -> None:
    """The condition names the address that another Service has; when that one goes, the Service gets it."""

    async def law() -> None:
        async with running() as lab:
            await lab.make(SERVICE, service("first"))
            taken = vips(await lab.addressed("first"))[0]
            wish = service("second")
            wish["metadata"]["annotations"] = {"lbipam.cilium.io/ips": taken}
            await lab.make(SERVICE, wish)
            pending = await lab.obj(SERVICE, Key("default", "second"), lambda obj: condition(obj, SATISFIED))
            await lab.client.delete(SERVICE, Key("default", "first"))
            served = await lab.addressed("second")

            assert condition(pending, SATISFIED)["reason"] == "already_allocated"
            assert (
                condition(pending, SATISFIED)["message"] == f"The IP '{taken}' is already allocated to another service"
            )
            assert vips(pending) == []
            assert vips(served) == [taken]

    asyncio.run(law())


def test_a_conflicting_pool_says_so_and_heals() -> None:
    """A younger overlapping pool is marked, and serves once the older one is gone."""

    async def law() -> None:
        async with running() as lab:
            clash = {"blocks": [{"start": "198.51.100.79", "stop": "198.51.100.90"}]}
            await lab.make(POOL, {"metadata": {"name": "younger"}, "spec": clash})
            marked = await lab.obj(POOL, Key("", "younger"), lambda obj: condition(obj, CONFLICT))
            await lab.client.delete(POOL, Key("", "lab"))
            await lab.obj(POOL, Key("", "younger"), lambda obj: condition(obj, CONFLICT)["status"] == "False")
            moved = await lab.obj(SERVICE, Key("shop", "api"), lambda obj: vips(obj) == ["198.51.100.79"])

            said = condition(marked, CONFLICT)
            assert (said["status"], said["reason"]) == ("True", "cidr_overlap")
            assert said["message"] == (
                "Pool conflicts since range '198.51.100.79 - 198.51.100.90' "
                "overlaps range '198.51.100.40 - 198.51.100.79' from IP Pool 'lab'"
            )
            assert condition(moved, SATISFIED)["reason"] == "no_pool", "no IPv6 pool is left"

    asyncio.run(law())


def test_before_any_pool_there_is_no_condition_at_all() -> None:
    """While no pool has ever existed the operator sleeps; the first pool wakes it."""

    async def law() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        api = await start_api([listening])
        profile = PROFILES[DEFAULT]
        plane = make_plane(Client(url=url, token=api.system_token, ca_pem=api.ca_pem), profile)
        for definition in crds.cilium(profile.pool_versions):
            await plane.client.create(CRD, definition)
        await plane.sync()
        Ipam(plane)
        made = await plane.client.create(
            SERVICE, {**service("web"), "metadata": {"name": "web", "namespace": "default"}}
        )
        plane.services.store(made)
        await plane.activity.quiet()
        before = plane.services.get(Key("default", "web")) or {}
        plane.pools.store(await plane.client.create(POOL, system.pool(profile)))
        await plane.activity.quiet()
        after = plane.services.get(Key("default", "web")) or {}
        await plane.close()
        await api.close()

        assert "conditions" not in before["status"]
        assert condition(after, SATISFIED)["reason"] == "satisfied"

    asyncio.run(law())
