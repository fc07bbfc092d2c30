"""The same controllers on a real kube-apiserver and etcd, found as controller-runtime's envtest finds them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from l2probe.lab.controllers import RunningCluster, start_cluster
from l2probe.lab.controllers.client import UNREACHABLE, ApiError, Client
from l2probe.lab.controllers.ipam import SATISFIED
from l2probe.lab.controllers.kinds import LEASE, NAMESPACE, POD, SERVICE
from l2probe.lab.controllers.objects import Key
from l2probe.lab.profiles import PROFILES
from tests.lab.controllers.fake_world import FakeWorld
from tests.lab.controllers.harness import condition, is_ready, vips

ASSETS = Path(os.environ.get("KUBEBUILDER_ASSETS") or "none")
pytestmark = pytest.mark.skipif(
    not (ASSETS / "kube-apiserver").exists(),
    reason="KUBEBUILDER_ASSETS names no directory with kube-apiserver and etcd",
)


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def program(*argv: str, log: Path) -> Iterator[None]:
    """Run a program until the end."""
    with log.open("wb") as output, subprocess.Popen(argv, stdout=output, stderr=output) as running:
        try:
            yield
        finally:
            running.terminate()


def etcd(port: int, peer: int, room: Path) -> tuple[str, ...]:
    """Return etcd's command line."""
    client, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    listen = (f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peers}")
    return (str(ASSETS / "etcd"), f"--data-dir={room / 'etcd'}", *listen, "--unsafe-no-fsync")


def apiserver(port: int, etcd_port: int, room: Path) -> tuple[str, ...]:
    """Return kube-apiserver's command line; it makes its own certificate."""
    subprocess.run(("openssl", "genrsa", "-out", str(room / "sa.key"), "2048"), check=True, capture_output=True)
    (room / "tokens").write_text('secret,admin,1,"system:masters"\n')
    return (
        str(ASSETS / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=192.0.2.1",
        "--endpoint-reconciler-type=none",
        f"--cert-dir={room}",
        f"--token-auth-file={room / 'tokens'}",
        f"--service-account-key-file={room / 'sa.key'}",
        f"--service-account-signing-key-file={room / 'sa.key'}",
        "--service-account-issuer=https://l2probe.example",
        "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/112",
    )


async def answering(url: str, authority: Path) -> Client:
    """Return a client once the server answers."""
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(0.2)
            try:
                ca_pem = await asyncio.to_thread(authority.read_bytes)
            except FileNotFoundError:
                continue
            client = Client(url=url, token="secret", ca_pem=ca_pem)
            try:
                await client.get(NAMESPACE, Key("", "kube-system"))
            except (ApiError, *UNREACHABLE):
                await client.close()
            else:
                return client


@contextlib.asynccontextmanager
async def real(room: Path, profile: str) -> AsyncIterator[tuple[RunningCluster, FakeWorld, Client]]:
    """Run a profile's controllers on a real API server."""
    port, etcd_port, peer_port = free_port(), free_port(), free_port()
    url = f"https://127.0.0.1:{port}"
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(program(*etcd(etcd_port, peer_port, room), log=room / "etcd.log"))
        stack.enter_context(program(*apiserver(port, etcd_port, room), log=room / "api.log"))
        client = await answering(url, room / "apiserver.crt")
        stack.push_async_callback(client.close)
        world = FakeWorld()
        stack.callback(world.close)
        authority = await asyncio.to_thread((room / "apiserver.crt").read_bytes)
        cluster = await start_cluster(
            url=url,
            token="secret",
            ca_pem=authority,
            world=world.driver,
            profile=PROFILES[profile],
            alone=True,
        )
        stack.push_async_callback(cluster.close)
        await cluster.ready()
        yield cluster, world, client


async def gone(client: Client, namespace: str) -> None:
    """Wait until the namespace is gone."""
    items, since = await client.list(NAMESPACE)
    if namespace not in {item["metadata"]["name"] for item in items}:
        return
    async with asyncio.timeout(30):
        async for event in client.watch(NAMESPACE, since):
            if (event["type"], event["object"]["metadata"].get("name")) == ("DELETED", namespace):
                return


@pytest.mark.parametrize("profile", ["cilium-1.19-dsr", "cilium-1.20.2-snat"])
def test_the_cluster_lives_on_a_real_api_server(profile: str, tmp_path: Path) -> None:
    """Addresses, conditions, leases, Pods, faults, healing and namespace deletion work as on the embedded server."""

    async def law() -> None:
        async with real(tmp_path, profile) as (cluster, world, client):
            services = {item["metadata"]["name"]: item for item in (await client.list(SERVICE, "shop"))[0]}
            assert {name: vips(item) for name, item in services.items()} == {
                "api": ["198.51.100.40", "2001:db8:1::40"],
                "web": ["198.51.100.41", "2001:db8:1::41"],
            }
            assert {condition(item, SATISFIED)["reason"] for item in services.values()} == {"satisfied"}
            assert all(is_ready(item) for item in (await client.list(POD))[0])
            healthy = [node.announced for node in world.nodes]
            assert sorted(len(announced) for announced in healthy) in ([0, 2, 2], [0, 0, 4])
            for fault in ("no-pool", "no-policy", "stale-lease"):
                await cluster.fault(fault)
                assert not any(node.announced for node in world.nodes), fault
                await cluster.heal()
            held = (await client.list(LEASE, "kube-system"))[0]
            assert sum(item["metadata"]["name"].startswith("cilium-l2announce-") for item in held) == 2

            change = {"type": "ClusterIP", "externalTrafficPolicy": None, "allocateLoadBalancerNodePorts": None}
            await client.merge(SERVICE, Key("shop", "api"), {"spec": change})
            await client.delete(NAMESPACE, Key("", "shop"))
            await gone(client, "shop")
            await cluster.ready()
            assert [len(node.detached) for node in world.nodes] == [1, 1, 1]
            assert not any(node.announced or node.frontends for node in world.nodes)

    asyncio.run(law())
