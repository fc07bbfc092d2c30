"""What runs in the cluster already: a shop, whose Services a broken network hurts. Pure; writes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from l2probe.lab.controllers.kinds import NAMESPACE, POD, SERVICE
from l2probe.lab.controllers.objects import Obj

SHOP = "shop"
IMAGE = "python:3.13-alpine"
PORT = 8080
_SERVER = """\
import socket
server = socket.create_server(("::", 8080), family=socket.AF_INET6, dualstack_ipv6=True)
answer = b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\nConnection: close\\r\\n\\r\\nshop\\n"
while True:
    client, _ = server.accept()
    client.settimeout(2)
    try:
        client.recv(4096)
        client.sendall(answer)
    except OSError:
        pass
    client.close()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """An application: its externalTrafficPolicy, and the places (counted from 0) of the nodes that run it."""

    name: str
    policy: str
    places: tuple[int, ...]


TENANTS = (
    Tenant(name="api", policy="Cluster", places=(2,)),
    Tenant(name="web", policy="Local", places=(0, 1)),
)


def namespace() -> Obj:
    """Return the shop's namespace."""
    return {"apiVersion": "v1", "kind": NAMESPACE.name, "metadata": {"name": SHOP}}


def service(tenant: Tenant) -> Obj:
    """Return the application's LoadBalancer Service."""
    spec = {
        "type": "LoadBalancer",
        "externalTrafficPolicy": tenant.policy,
        "ipFamilyPolicy": "PreferDualStack",
        "selector": {"app": tenant.name},
        "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": PORT}],
    }
    metadata = {"name": tenant.name, "namespace": SHOP, "labels": {"app": tenant.name}}
    return {"apiVersion": "v1", "kind": SERVICE.name, "metadata": metadata, "spec": spec}


def pods(tenant: Tenant, nodes: tuple[str, ...]) -> tuple[Obj, ...]:
    """Return the application's Pods, each on the node of its place."""
    return tuple(_pod(tenant, nodes[place % len(nodes)], number) for number, place in enumerate(tenant.places))


def _pod(tenant: Tenant, node: str, number: int) -> Obj:
    container = {
        "name": tenant.name,
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        # -I -S: neither the user's site nor site-packages: it starts in half the time.
        "command": ["python3", "-IS", "-c", _SERVER],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
    }
    spec = {
        "nodeSelector": {"kubernetes.io/hostname": node},
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
    }
    metadata = {"name": f"{tenant.name}-{number}", "namespace": SHOP, "labels": {"app": tenant.name}}
    return {"apiVersion": "v1", "kind": POD.name, "metadata": metadata, "spec": spec}
