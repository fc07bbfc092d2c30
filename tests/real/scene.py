"""Things to look at: a namespace with an echo Pod on a chosen node and a Service in front of it. No part of l2probe."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tests.real import announcer, network
from tests.real.cluster import apply, kubectl, until
from tests.real.hosts import FOREIGN

ECHO = """
import http.server, socket
class Echo(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        seen = self.client_address[0].removeprefix("::ffff:").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(seen)))
        self.end_headers()
        self.wfile.write(seen)
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
Server(("::", 8080), Echo).serve_forever()
"""
"""Tells each client the address that it was seen with; a different program than l2probe's."""
IMAGE = "python:3.13-alpine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One namespace with a Service `web` and its Pod `web`. `addresses`: the Service's, IPv4 first."""

    namespace: str
    addresses: tuple[str, ...]


@contextmanager
def scene(
    namespace: str, *, policy: str = "Cluster", node: str = "rc-n1", ready: bool = True, **spec: object
) -> Iterator[Scene]:
    """Set up a Service with its only Pod on `node`, both ready; removed at the end.

    `spec` changes the Service's; without `ready` the Pod runs and never becomes ready, and nobody waits for it.
    """
    labels = {"app": "web"}
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    try:
        apply(
            _object("Pod", namespace, labels, pod(node, ready=ready)),
            _object("Service", namespace, labels, service(policy) | spec),
        )
        state = "--for=condition=Ready" if ready else "--for=jsonpath={.status.phase}=Running"
        kubectl("-n", namespace, "wait", state, "pod/web", "--timeout=60s", timeout=70)
        if "loadBalancerClass" not in spec:
            until(lambda: len(given(namespace)) == 2, f"addresses of {namespace}/web", seconds=15)
        yield Scene(namespace=namespace, addresses=given(namespace))
    finally:
        kubectl("delete", "namespace", namespace, timeout=60)


def given(namespace: str, service: str = "web") -> tuple[str, ...]:
    """Return the addresses in the Service's status."""
    path = "jsonpath={.status.loadBalancer.ingress[*].ip}"
    return tuple(kubectl("-n", namespace, "get", "service", service, "-o", path).split())


def pod(node: str, *, ready: bool = True) -> dict[str, object]:
    """Return the spec of an echo Pod for one node; without `ready` its probe asks where nothing listens."""
    container = {
        "name": "echo",
        "image": IMAGE,
        "command": ["python3", "-c", ECHO],
        "readinessProbe": {"httpGet": {"port": 8080 if ready else 8081}, "periodSeconds": 1},
    }
    return {
        "nodeSelector": {"kubernetes.io/hostname": node},
        "containers": [container],
        "terminationGracePeriodSeconds": 0,
    }


def service(policy: str = "Cluster") -> dict[str, object]:
    """Return the spec of a LoadBalancer Service in front of it, in both families."""
    return {
        "type": "LoadBalancer",
        "externalTrafficPolicy": policy,
        "ipFamilyPolicy": "RequireDualStack",
        "selector": {"app": "web"},
        "ports": [{"port": 80, "targetPort": 8080}],
    }


def _object(kind: str, namespace: str, labels: dict[str, str], spec: dict[str, object]) -> dict[str, object]:
    metadata = {"name": "web", "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}


def namespaces(selector: str = "app.kubernetes.io/managed-by=l2probe") -> tuple[str, ...]:
    """Return the namespaces with a label; by default those that l2probe made."""
    listed = json.loads(kubectl("get", "namespaces", "-l", selector, "-o", "json"))
    return tuple(item["metadata"]["name"] for item in listed["items"])


@contextmanager
def without_pool() -> Iterator[None]:
    """Take MetalLB's only pool away, so that it has no address to give."""
    kubectl("-n", announcer.NAMESPACE, "delete", "ipaddresspool", "lan")
    try:
        yield
    finally:
        apply(announcer.pool())


@contextmanager
def without_advertisement() -> Iterator[None]:
    """Take MetalLB's only advertisement away: it gives addresses and announces none."""
    kubectl("-n", announcer.NAMESPACE, "delete", "l2advertisement", "lan")
    try:
        yield
    finally:
        apply(announcer.advertisement())


@contextmanager
def advertised_from(*nodes: str) -> Iterator[None]:
    """Let only these nodes announce."""
    selectors = [{"matchLabels": {"kubernetes.io/hostname": node}} for node in nodes]
    apply(announcer.advertisement(nodeSelectors=selectors))
    try:
        yield
    finally:
        apply(announcer.advertisement())


@contextmanager
def unplugged(name: str) -> Iterator[None]:
    """Cut one machine off; afterwards wait until its kubelet has reported again."""
    network.cut(name)
    try:
        yield
    finally:
        network.mend(name)
        kubectl("wait", "--for=condition=Ready", f"node/{name}", "--timeout=90s", timeout=100)


@contextmanager
def foreign_owner(*addresses: str, port: int | None = None) -> Iterator[None]:
    """Have a machine outside the cluster own these addresses too; with a `port` it serves a page of its own there."""
    with squatter(port) if port else nullcontext():
        for address in addresses:
            network.own(address)
        try:
            yield
        finally:
            for address in addresses:
                network.disown(address)


@contextmanager
def squatter(port: int) -> Iterator[None]:
    """Serve a page on the machine outside the cluster."""
    program = str(Path(__file__).with_name("squatter.py"))
    with subprocess.Popen(network.within(FOREIGN.name, sys.executable, program, str(port))) as process:
        try:
            until(lambda: _listens(port), "the foreign machine's page", seconds=10)
            yield
        finally:
            process.kill()


def _listens(port: int) -> bool:
    argv = network.within(FOREIGN.name, "curl", "-s", "-o", "/dev/null", f"http://{FOREIGN.address}:{port}/")
    return subprocess.run(argv, check=False).returncode == 0
