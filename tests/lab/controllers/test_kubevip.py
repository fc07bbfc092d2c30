"""kube-vip in the lab: its leases, what it writes on Services, and what is on which NIC, against the embedded API."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import replace

import pytest

from l2probe.lab.controllers.announcers import left_behind
from l2probe.lab.controllers.behaviour import HEALTHY
from l2probe.lab.controllers.client import NOT_FOUND, ApiError
from l2probe.lab.controllers.kinds import CONFIG_MAP, DAEMON_SET, LEASE, POD, POLICY, SERVICE
from l2probe.lab.controllers.kubevip.cloud_provider import FINALIZER
from l2probe.lab.controllers.kubevip.leaders import TELLING
from l2probe.lab.controllers.objects import Key, Obj, annotations_of, labels_of
from tests.lab.controllers.harness import Lab, events, pod, running, service, vips

OWN, GLOBAL = "kube-vip-1.0", "kube-vip-1.0+global"
LOCK = Key("kube-system", "plndr-svcs-lock")
ECHO = Key("default", "echo")


async def lease_of(lab: Lab, name: str, namespace: str = "default", *, holder: str = "") -> str:
    """Return who holds a Service's own lease, once somebody (this node) does."""

    def held(lease: Obj) -> bool:
        found = lease["spec"].get("holderIdentity") or ""
        return bool(found) and holder in {"", found}

    lease = await lab.obj(LEASE, Key(namespace, f"kubevip-{name}"), held)
    return str(lease["spec"]["holderIdentity"])


def hosted(node: str, obj: Obj) -> bool:
    """Say whether the Service has addresses and names this node as their host."""
    return annotations_of(obj).get("kube-vip.io/vipHost") == node and bool(vips(obj))


def owners(lab: Lab, found: Obj) -> list[list[str]]:
    """Return the nodes on whose NIC each address of a Service is."""
    return [[node.name for node in lab.world.nodes if vip in node.owned] for vip in vips(found)]


def test_the_cluster_is_kube_vips_and_nobody_elses() -> None:
    """DaemonSet, ConfigMap with the ranges and leases in the Services' namespace; no API group of anybody else."""

    async def law() -> None:
        async with running(OWN) as lab:
            sets = {found["metadata"]["name"]: found for found in (await lab.client.list(DAEMON_SET))[0]}
            ranges = await lab.client.get(CONFIG_MAP, Key("kube-system", "kubevip"))
            leases = {found["metadata"]["name"] for found in (await lab.client.list(LEASE, "shop"))[0]}
            env = sets["kube-vip-ds"]["spec"]["template"]["spec"]["containers"][0]["env"]

            assert set(sets) == {"kube-vip-ds", "kube-proxy"}
            assert {"name": "svc_election", "value": "true"} in env
            assert ranges["data"] == {
                "range-global": "198.51.100.40-198.51.100.79,2001:db8:1::40-2001:db8:1::7f",
            }
            assert leases == {"kubevip-api", "kubevip-web"}
            with pytest.raises(ApiError) as absent:
                await lab.client.list(POLICY)
            assert absent.value.code == NOT_FOUND

    asyncio.run(law())


def test_the_leader_has_the_address_and_writes_itself_down() -> None:
    """The holder alone has the addresses on its NIC and tells so; the Service says which addresses and which host."""

    async def law() -> None:
        async with running(OWN) as lab:
            holder = await lease_of(lab, "api", "shop")
            found = await lab.addressed("api", "shop")
            leader = next(node for node in lab.world.nodes if node.name == holder)

            assert owners(lab, found) == [[holder]] * 2
            assert set(vips(found)) <= leader.told
            assert leader.telling == TELLING
            assert not any(node.announced for node in lab.world.nodes)
            assert annotations_of(found) == {
                "kube-vip.io/loadbalancerIPs": ",".join(vips(found)),
                "kube-vip.io/vipHost": holder,
            }
            assert labels_of(found)["implementation"] == "kube-vip"
            assert found["spec"]["loadBalancerIP"] == vips(found)[0]
            assert found["status"]["loadBalancer"]["ingress"][0]["ports"] == [{"port": 80, "protocol": "TCP"}]
            assert (await events(lab, "api", "EnsuredLoadBalancer"))["EnsuredLoadBalancer"]["type"] == "Normal"

    asyncio.run(law())


def test_the_lease_follows_local_and_is_released_without_endpoints() -> None:
    """No lease and no address before there is an endpoint; then the Pod's node; released when the last Pod goes."""

    async def law() -> None:
        async with running(OWN) as lab:
            await lab.make(SERVICE, service("echo", policy="Local"))
            await lab.obj(SERVICE, ECHO, lambda obj: "kube-vip.io/loadbalancerIPs" in annotations_of(obj))
            await lab.cluster.ready()
            pending = await lab.client.get(SERVICE, ECHO)
            assert vips(pending) == []
            for node in ("node-2", "node-3"):
                await lab.make(POD, pod(f"echo-{node}", app="echo", node=node))
                assert await lease_of(lab, "echo", holder=node) == node
                found = await lab.obj(SERVICE, ECHO, functools.partial(hosted, node))
                await lab.cluster.ready()
                assert owners(lab, found) == [[node]] * 2
                await lab.client.delete(POD, Key("default", f"echo-{node}"))
                await lab.obj(LEASE, Key("default", "kubevip-echo"), lambda obj: not obj["spec"]["holderIdentity"])
                await lab.cluster.ready()
                assert owners(lab, found) == [[], []]
                assert vips(await lab.client.get(SERVICE, ECHO)) == vips(found)

    asyncio.run(law())


def test_one_lease_for_all_ignores_policy_local() -> None:
    """Without svc_election one holder has every address, endpoints or not; a deleted Service moves nothing."""

    async def law() -> None:
        async with running(GLOBAL) as lab:
            lock = await lab.obj(LEASE, LOCK, lambda obj: obj["spec"]["holderIdentity"])
            holder = lock["spec"]["holderIdentity"]
            await lab.make(SERVICE, service("echo", policy="Local"))
            found = await lab.addressed("echo")
            await lab.cluster.ready()

            assert owners(lab, found) == [[holder]] * 2
            assert owners(lab, await lab.addressed("web", "shop")) == [[holder]] * 2
            assert not (await lab.client.list(LEASE, "shop"))[0]
            await lab.client.delete(SERVICE, ECHO)
            await lab.until(SERVICE, lambda cache: cache.get(ECHO) is None)
            await lab.cluster.ready()
            assert owners(lab, found) == [[], []]
            assert owners(lab, await lab.addressed("web", "shop")) == [[holder]] * 2
            assert (await lab.client.get(LEASE, LOCK))["spec"]["holderIdentity"] == holder

    asyncio.run(law())


def test_a_service_goes_when_the_provider_has_let_go() -> None:
    """The cloud provider's finalizer is on the Service and does not keep it from going."""

    async def law() -> None:
        async with running(OWN) as lab:
            found = await lab.addressed("api", "shop")
            assert FINALIZER in found["metadata"]["finalizers"]
            await lab.client.delete(SERVICE, Key("shop", "api"))
            assert await lab.until(SERVICE, lambda cache: cache.get(Key("shop", "api")) is None)
            await lab.cluster.ready()
            assert owners(lab, found) == [[], []]

    asyncio.run(law())


def test_without_ranges_a_service_stays_pending_and_an_event_says_why() -> None:
    """The fault no-pool takes the ConfigMap; what has an address keeps it; healing serves the pending one."""

    async def law() -> None:
        async with running(OWN) as lab:
            await lab.cluster.fault("no-pool")
            await lab.make(SERVICE, service("late", app="api"))
            told = await events(lab, "late", "SyncLoadBalancerFailed")
            assert "no address pools could be found" in told["SyncLoadBalancerFailed"]["message"]
            assert vips(await lab.addressed("api", "shop"))
            await lab.make(POD, pod("late", app="api"))
            await lab.cluster.heal()
            assert vips(await lab.addressed("late"))

    asyncio.run(law())


def test_a_stale_vip_stays_on_a_second_nic_that_tells_nobody() -> None:
    """Every address is on two NICs, the leader's and another that only answers; healing takes it from that one."""

    async def law() -> None:
        async with running(OWN) as lab:
            await lab.cluster.fault("stale-vip")
            found = await lab.addressed("api", "shop")
            holder = await lease_of(lab, "api", "shop")
            await lab.cluster.ready()

            assert [len(nodes) for nodes in owners(lab, found)] == [2, 2]
            assert [node.name for node in lab.world.nodes if set(vips(found)) & node.told] == [holder]
            await lab.cluster.heal()
            assert owners(lab, found) == [[holder]] * 2

    asyncio.run(law())


def test_a_stale_vip_stays_where_it_was_left() -> None:
    """When the lease goes on to another node, the stale address stays: only one node that was never asked to has it."""
    stale = replace(HEALTHY, stale=True)
    vip = frozenset({("198.51.100.42", "eth0")})
    nothing = frozenset[tuple[str, str]]()

    left = left_behind({"node-1": vip, "node-2": nothing, "node-3": nothing}, {}, stale)
    later = left_behind({"node-1": nothing, "node-2": nothing, "node-3": vip}, left, stale)

    assert left == later == {"198.51.100.42": "node-2"}
    assert left_behind({"node-3": vip}, later, HEALTHY) == {}
