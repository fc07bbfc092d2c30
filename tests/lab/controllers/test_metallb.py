"""MetalLB in the lab: its objects, its speakers and its controller, against the embedded API."""

from __future__ import annotations

import asyncio

import pytest

from l2probe.lab.controllers.client import NOT_FOUND, ApiError
from l2probe.lab.controllers.kinds import (
    CONFIG_MAP,
    DAEMON_SET,
    EVENT,
    IP_ADDRESS_POOL,
    L2_ADVERTISEMENT,
    L2_STATUS,
    LEASE,
    POD,
    POLICY,
    SERVICE,
    Kind,
)
from l2probe.lab.controllers.metallb.speakers import TELLING
from l2probe.lab.controllers.objects import Key, Obj, labels_of
from l2probe.lab.driver import Forwarding
from tests.lab.controllers.harness import Lab, events, is_ready, pod, running, service, vips
from tests.lab.controllers.recorded import items

PROFILE = "metallb-0.15"
SYSTEM = "metallb-system"


async def status_of(lab: Lab, name: str, namespace: str = "default", *, node: str = "") -> Obj:
    """Return the ServiceL2Status about a Service, once one is there (of this node)."""

    def about(obj: Obj) -> bool:
        found = obj.get("status") or {}
        same = (found.get("serviceNamespace"), found.get("serviceName")) == (namespace, name)
        return same and node in {"", found.get("node")}

    found = await lab.until(L2_STATUS, lambda cache: next((obj for obj in cache if about(obj)), None))
    assert found is not None
    return found


def test_the_cluster_is_metallbs_and_nobody_elses() -> None:
    """Speakers, controller, pool and advertisement are there; nothing of Cilium is, not even its API group."""

    async def law() -> None:
        async with running(PROFILE) as lab:
            pods = {found["metadata"]["name"]: found for found in (await lab.client.list(POD, SYSTEM))[0]}
            sets, _ = await lab.client.list(DAEMON_SET)
            leases, _ = await lab.client.list(LEASE)

            assert len(pods) == 4
            assert all(is_ready(found) for found in pods.values())
            assert {found["metadata"]["name"] for found in sets} == {"speaker", "kube-proxy"}
            speaker = next(found for found in sets if found["metadata"]["name"] == "speaker")
            assert labels_of(speaker) == {"app": "metallb", "component": "speaker"}
            assert {lease["metadata"]["namespace"] for lease in leases} == {"kube-node-lease"}
            assert (await lab.client.list(L2_ADVERTISEMENT))[0]
            with pytest.raises(ApiError) as absent:
                await lab.client.list(POLICY)
            assert absent.value.code == NOT_FOUND
            with pytest.raises(ApiError):
                await lab.client.get(CONFIG_MAP, Key("kube-system", "cilium-config"))

    asyncio.run(law())


def test_a_service_is_addressed_announced_and_reported() -> None:
    """Ready means: addresses from the pool, one speaker announces and says so in the recorded form, events tell it."""

    async def law() -> None:
        async with running(PROFILE) as lab:
            found = await lab.addressed("api", "shop")
            status = await status_of(lab, "api", "shop")
            node = status["status"]["node"]
            told = await events(lab, "api", "IPAllocated", "nodeAssigned")
            pools = (await lab.client.list(IP_ADDRESS_POOL))[0]

            assert [lab.world.announcers(vip) for vip in vips(found)] == [[node]] * 2
            assert found["metadata"]["annotations"] == {"metallb.io/ip-allocated-from-pool": "lab"}
            assert told["nodeAssigned"]["message"] == f'announcing from node "{node}" with protocol "layer2"'
            assert told["IPAllocated"]["message"] == f'Assigned IP ["{vips(found)[0]}" "{vips(found)[1]}"]'
            assert {event["involvedObject"]["kind"] for event in told.values()} == {"Service"}
            assert pools[0]["status"] == {
                "assignedIPv4": 2,
                "availableIPv4": 38,
                "assignedIPv6": 2,
                "availableIPv6": 62,
            }
            speaking = next(one for one in lab.world.nodes if one.name == node)
            assert speaking.telling == TELLING
            assert {front.forwarding for front in speaking.frontends} == {Forwarding.MASQUERADE}

    asyncio.run(law())


def test_the_status_has_the_recorded_form() -> None:
    """A ServiceL2Status carries exactly the fields, labels and owner kind of a recorded one."""

    async def law() -> None:
        async with running(PROFILE) as lab:
            ours = await status_of(lab, "web", "shop")
            theirs = next(iter(items("metallb/servicel2statuses").values()))

            assert ours.keys() - {"apiVersion", "kind"} == theirs.keys() - {"apiVersion", "kind"}
            assert labels_of(ours).keys() == labels_of(theirs).keys()
            assert ours["status"].keys() == theirs["status"].keys()
            assert ours["metadata"]["name"].startswith("l2-")
            (owner,) = ours["metadata"]["ownerReferences"]
            assert owner.keys() == theirs["metadata"]["ownerReferences"][0].keys()
            assert (await lab.client.get(POD, Key(SYSTEM, owner["name"])))["spec"]["nodeName"] == ours["status"]["node"]

    asyncio.run(law())


def test_local_follows_the_pod_and_no_endpoint_silences() -> None:
    """With policy Local the announcer is the Pod's node, wherever that goes; without a Pod nobody announces."""

    async def law() -> None:
        async with running(PROFILE) as lab:
            await lab.make(SERVICE, service("echo", policy="Local"))
            for node in ("node-2", "node-3"):
                await lab.make(POD, pod(f"echo-{node}", app="echo", node=node))
                await status_of(lab, "echo", node=node)
                found = await lab.addressed("echo")
                await lab.cluster.ready()
                assert [lab.world.announcers(vip) for vip in vips(found)] == [[node]] * 2
                await lab.client.delete(POD, Key("default", f"echo-{node}"))
                await lab.until(L2_STATUS, lambda cache: not _about(cache, "echo"))
                await lab.cluster.ready()
                assert [lab.world.announcers(vip) for vip in vips(found)] == [[]] * 2

    asyncio.run(law())


def _about(cache: object, name: str) -> list[Obj]:
    return [obj for obj in cache if labels_of(obj).get("metallb.io/service-name") == name]  # type: ignore[attr-defined]


def test_what_cannot_be_given_is_said_in_an_event() -> None:
    """Without a pool, addresses are taken away and new Services stay pending, with MetalLB's own words about it."""

    async def law() -> None:
        async with running(PROFILE) as lab:
            was = vips(await lab.addressed("api", "shop"))
            await lab.client.delete(IP_ADDRESS_POOL, Key(SYSTEM, "lab"))
            await lab.obj(SERVICE, Key("shop", "api"), lambda obj: not vips(obj))
            told = await events(lab, "api", "ClearAssignment", "AllocationFailed")

            assert told["AllocationFailed"]["type"] == "Warning"
            assert told["AllocationFailed"]["message"] == 'Failed to allocate IP for "shop/api": no available IPs'
            assert f'["{was[0]}" "{was[1]}"] is not allowed in config' in told["ClearAssignment"]["message"]
            assert not any(node.announced for node in lab.world.nodes)

    asyncio.run(law())


@pytest.mark.parametrize(
    ("name", "kind"),
    [("no-advertisement", L2_ADVERTISEMENT), ("advertisement-node-selector", L2_ADVERTISEMENT), ("no-endpoint", EVENT)],
)
def test_faults_silence_and_healing_brings_it_back(name: str, kind: Kind) -> None:
    """Addresses stay in the status while nobody announces them; afterwards all is as before."""

    async def law() -> None:
        async with running(PROFILE) as lab:
            before = [sorted(node.announced) for node in lab.world.nodes]
            objects = [obj.get("spec") for obj in (await lab.client.list(kind))[0] if kind is L2_ADVERTISEMENT]
            await lab.cluster.fault(name)
            assert not any(node.announced for node in lab.world.nodes)
            assert vips(await lab.addressed("web", "shop"))
            await lab.until(L2_STATUS, lambda cache: not len(cache))
            await lab.cluster.heal()
            await status_of(lab, "web", "shop")
            await status_of(lab, "api", "shop")
            await lab.cluster.ready()

            assert [sorted(node.announced) for node in lab.world.nodes] == before
            assert [obj.get("spec") for obj in (await lab.client.list(kind))[0] if kind is L2_ADVERTISEMENT] == objects

    asyncio.run(law())


def test_ipvs_without_strict_arp_puts_every_address_on_every_nic() -> None:
    """Every node's kernel has every Service's addresses, those of later Services too; healing takes them away."""

    async def law() -> None:
        async with running(PROFILE) as lab:
            await lab.cluster.fault("ipvs-without-strict-arp")
            await lab.make(SERVICE, service("late"))
            late = await lab.addressed("late")
            await lab.cluster.ready()
            every = {*vips(late), *vips(await lab.addressed("web", "shop")), *vips(await lab.addressed("api", "shop"))}
            config = await lab.client.get(CONFIG_MAP, Key("kube-system", "kube-proxy"))

            assert [node.owned for node in lab.world.nodes] == [every] * 3
            assert "mode: ipvs" in config["data"]["config.conf"]
            assert "strictARP: false" in config["data"]["config.conf"]
            await lab.cluster.heal()
            config = await lab.client.get(CONFIG_MAP, Key("kube-system", "kube-proxy"))
            assert [node.owned for node in lab.world.nodes] == [frozenset()] * 3
            assert "mode: nftables" in config["data"]["config.conf"]

    asyncio.run(law())
