"""The cluster that comes up: what a profile promises is there, and nothing is left when it ends."""

from __future__ import annotations

import asyncio

import pytest

from l2probe.lab.controllers.kinds import CONFIG_MAP, DAEMON_SET, LEASE, NODE, POD, POLICY, SERVICE, pool
from l2probe.lab.controllers.objects import Key
from l2probe.lab.driver import Forwarding, NoBackend
from l2probe.lab.profiles import DEFAULT, PROFILES, Implementation
from tests.lab.controllers.harness import again, condition, is_ready, running, vips

BOTH = {"198.51.100", "2001:db8:1:"}


CILIUM = [name for name, profile in PROFILES.items() if profile.implementation is Implementation.CILIUM]


@pytest.mark.parametrize("profile", CILIUM)
def test_ready_means_ready(profile: str) -> None:
    """When `ready` returns, nodes and Pods are ready, and every Service has address, holder and datapath."""

    async def law() -> None:
        async with running(profile) as lab:
            nodes, _ = await lab.client.list(NODE)
            pods, _ = await lab.client.list(POD)
            leases, _ = await lab.client.list(LEASE, "kube-system")
            services, _ = await lab.client.list(SERVICE, "shop")
            families = len(PROFILES[profile].families)

            assert [condition(node, "Ready")["status"] for node in nodes] == ["True"] * 3
            assert pods
            assert all(is_ready(pod) for pod in pods)
            assert [len(vips(service)) for service in services] == [families] * 2
            assert {lease["metadata"]["name"] for lease in leases} == {
                f"cilium-l2announce-shop-{service['metadata']['name']}" for service in services
            }
            for service in services:
                holder = (await lab.lease(service["metadata"]["name"], bool, "shop"))["spec"]["holderIdentity"]
                assert [lab.world.announcers(vip) for vip in vips(service)] == [[holder]] * families
                assert all(
                    vip in {front.vip for front in node.frontends} for vip in vips(service) for node in lab.world.nodes
                )

    asyncio.run(law())


@pytest.mark.parametrize(
    ("profile", "tcp", "udp", "no_backend"),
    [
        ("cilium-1.19-dsr", Forwarding.DSR, Forwarding.DSR, NoBackend.REJECT),
        ("cilium-1.19-snat", Forwarding.SNAT, Forwarding.SNAT, NoBackend.REJECT),
        ("cilium-1.19-hybrid+drop", Forwarding.DSR, Forwarding.SNAT, NoBackend.DROP),
    ],
)
def test_the_configuration_says_what_the_profile_does(
    profile: str, tcp: Forwarding, udp: Forwarding, no_backend: NoBackend
) -> None:
    """cilium-config, the agent's image and the profile's forwarding agree."""

    async def law() -> None:
        async with running(profile) as lab:
            config = (await lab.client.get(CONFIG_MAP, Key("kube-system", "cilium-config")))["data"]
            agent = await lab.client.get(DAEMON_SET, Key("kube-system", "cilium"))

            assert config["bpf-lb-mode"] == profile.removesuffix("+drop").rpartition("-")[2]
            assert config["enable-l2-announcements"] == config["kube-proxy-replacement"] == "true"
            assert config["service-no-backend-response"] == no_backend
            assert agent["spec"]["template"]["spec"]["containers"][0]["image"] == "cilium/cilium:v1.19.4"
            assert {front.no_backend for front in lab.world.nodes[0].frontends} == {no_backend}

    asyncio.run(law())
    assert (PROFILES[profile].forwarding("TCP"), PROFILES[profile].forwarding("UDP")) == (tcp, udp)


def test_an_ipv4_cluster_has_no_ipv6_anywhere() -> None:
    """Under 1.17 nodes, Pods, pools and Services are IPv4, and the pool exists in v2alpha1 only."""

    async def law() -> None:
        async with running("cilium-1.17-dsr") as lab:
            nodes, _ = await lab.client.list(NODE)
            pods, _ = await lab.client.list(POD)
            pools, _ = await lab.client.list(pool("v2alpha1"))
            texts = [entry["address"] for node in nodes for entry in node["status"]["addresses"]]
            texts += [entry["ip"] for item in pods for entry in item["status"]["podIPs"]]
            texts += [block["start"] for found in pools for block in found["spec"]["blocks"]]

            assert not [text for text in texts if ":" in text]
            assert condition(pools[0], "cilium.io/IPsAvailable")["message"] == "38"

    asyncio.run(law())


def test_a_second_start_finds_the_first_ones_cluster() -> None:
    """Starting controllers on a server that holds the cluster already changes no object that a person made."""

    async def law() -> None:
        async with running() as lab:
            await lab.client.merge(POLICY, Key("", "lab"), {"spec": {"interfaces": ["^bond0$"]}})
            before = [found["metadata"]["uid"] for found in (await lab.client.list(SERVICE))[0]]
            async with again(lab):
                after = [found["metadata"]["uid"] for found in (await lab.client.list(SERVICE))[0]]
                policy = await lab.client.get(POLICY, Key("", "lab"))

            assert before == after
            assert policy["spec"]["interfaces"] == ["^bond0$"]

    asyncio.run(law())


def test_close_ends_every_process_and_file() -> None:
    """After `close` no Pod's process lives and no directory is left."""

    async def law() -> None:
        async with running() as lab:
            processes = [process for node in lab.world.nodes for process in node.processes]
            room = lab.cluster._room
            assert processes
            assert room.is_dir()
        assert not room.exists()
        assert [await process.wait() for process in processes] == [-9] * len(processes)

    asyncio.run(law())


def test_the_default_is_a_profile() -> None:
    """The default and every `+drop` variant of Cilium's exist, and names are their own keys."""
    assert DEFAULT == "cilium-1.19-dsr"
    assert len(CILIUM) == 13
    assert all(profile.name == name and profile.about for name, profile in PROFILES.items())
    assert all(PROFILES[f"{name}+drop"].no_backend is NoBackend.DROP for name in CILIUM if "+" not in name)
