"""k3s' ServiceLB as a second controller: a DaemonSet for each Service, and its node's addresses in its status.

Names, labels and image as k3s' pkg/cloudprovider/servicelb.go makes them. It knows nothing of LB IPAM.
"""

from __future__ import annotations

import asyncio
import contextlib

from l2probe.lab.controllers.client import UNREACHABLE, ApiError
from l2probe.lab.controllers.kinds import DAEMON_SET, NODE, POD, SERVICE, SERVICE_ACCOUNT
from l2probe.lab.controllers.making import ensure
from l2probe.lab.controllers.objects import Key, Obj, dig, key_of, uid_of
from l2probe.lab.controllers.plane import Plane
from l2probe.lab.controllers.system import SYSTEM, service_account

ENABLED = "svccontroller.k3s.cattle.io/enablelb"
"""A node with this label takes part; without one all nodes do."""
PREFIX = "svccontroller.k3s.cattle.io"
IMAGE = "rancher/klipper-lb:v0.4.9"
ACCOUNT = "svclb"
TURN_SECONDS = 0.3
"""For how long each of the two controllers has its way before the other writes."""


def daemon_set(service: Obj) -> Obj:
    """Return the DaemonSet that ServiceLB makes for a Service."""
    key = key_of(service)
    name = f"svclb-{key.name}-{uid_of(service)[:8]}"
    spec = _pod_spec(service)
    labels = {f"{PREFIX}/nodeselector": "false", f"{PREFIX}/svcname": key.name, f"{PREFIX}/svcnamespace": key.namespace}
    template = {"metadata": {"labels": {"app": name, **labels}}, "spec": spec}
    return {
        "apiVersion": DAEMON_SET.api_version,
        "kind": DAEMON_SET.name,
        "metadata": {"name": name, "namespace": SYSTEM, "labels": labels},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
    }


def _pod_spec(service: Obj) -> Obj:
    ports = [
        {
            "name": f"lb-{port.get('protocol', 'TCP').lower()}-{port['port']}",
            "image": IMAGE,
            "imagePullPolicy": "IfNotPresent",
        }
        for port in service["spec"].get("ports") or ()
    ]
    return {
        "serviceAccountName": ACCOUNT,
        "automountServiceAccountToken": False,
        "nodeSelector": {ENABLED: "true"},
        "terminationGracePeriodSeconds": 1,
        "containers": ports,
    }


def pod(made: Obj, node: str) -> Obj:
    """Return the DaemonSet's Pod on a node."""
    template = made["spec"]["template"]
    owner = {
        "apiVersion": DAEMON_SET.api_version,
        "kind": DAEMON_SET.name,
        "name": made["metadata"]["name"],
        "uid": uid_of(made),
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata = {
        "name": f"{made['metadata']['name']}-{node}",
        "namespace": SYSTEM,
        "labels": template["metadata"]["labels"],
        "ownerReferences": [owner],
    }
    return {"apiVersion": "v1", "kind": POD.name, "metadata": metadata, "spec": {**template["spec"], "nodeName": node}}


def serves(service: Obj) -> bool:
    """Say whether ServiceLB takes the Service: type LoadBalancer and no class."""
    return service["spec"].get("type") == "LoadBalancer" and not service["spec"].get("loadBalancerClass")


class ServiceLb:
    """Runs on one node, and writes that node's addresses whenever another controller wrote its own."""

    def __init__(self, plane: Plane, node: str) -> None:
        self._plane = plane
        self._node = node
        self._made: dict[Key, Obj] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Label the node, serve what is there, and go on with what comes."""
        client = self._plane.client
        await client.merge(NODE, Key("", self._node), {"metadata": {"labels": {ENABLED: "true"}}})
        await ensure(client, SERVICE_ACCOUNT, service_account(ACCOUNT, SYSTEM))
        await self._turn()
        self._task = self._plane.tasks.start(self._run())

    async def stop(self) -> None:
        """Write no more, and remove all that was made."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        client = self._plane.client
        for made in self._made.values():
            await client.delete(POD, key_of(pod(made, self._node)), grace=0)
            await client.delete(DAEMON_SET, key_of(made))
        await client.delete(SERVICE_ACCOUNT, Key(SYSTEM, ACCOUNT))
        await client.merge(NODE, Key("", self._node), {"metadata": {"labels": {ENABLED: None}}})

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(2 * TURN_SECONDS)
            # A Service that is gone, or a server in trouble: the next turn tries again.
            with contextlib.suppress(ApiError, *UNREACHABLE):
                await self._turn()

    async def _turn(self) -> None:
        for service in self._plane.services:
            if serves(service):
                await self._deploy(service)
                await self._write(service)

    async def _deploy(self, service: Obj) -> None:
        key = key_of(service)
        if key not in self._made:
            self._made[key] = await ensure(self._plane.client, DAEMON_SET, daemon_set(service))
            await ensure(self._plane.client, POD, pod(self._made[key], self._node))

    async def _write(self, service: Obj) -> None:
        node = self._plane.nodes.get(Key("", self._node))
        addresses = [e["address"] for e in dig(node, "status", "addresses") or () if e["type"] == "InternalIP"]
        families = service["spec"].get("ipFamilies") or ["IPv4"]
        wanted = [{"ip": text} for text in addresses if ("IPv6" if ":" in text else "IPv4") in families]
        if [entry.get("ip") for entry in dig(service, "status", "loadBalancer", "ingress") or ()] == [
            entry["ip"] for entry in wanted
        ]:
            return
        status = {"status": {"loadBalancer": {"ingress": wanted}}}
        done = await self._plane.client.merge(SERVICE, key_of(service), status, subresource="status", manager="k3s")
        self._plane.services.store(done)
