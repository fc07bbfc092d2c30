"""A big cluster's lists as a server would send them, page by page, without the time that a real one takes to make them.

`python -m tests.bench.recorded_api SERVICES NODES` serves them over HTTP on loopback, prints the URL and stays until
its stdin is closed. The same bytes go to everybody who asks, so that what is compared is the client alone.
"""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE = 500
Json = dict[str, Any]
MANAGED = [
    {
        "manager": "kubectl-client-side-apply",
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-11-01T10:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:annotations": {}, "f:labels": {}}, "f:spec": {"f:ports": {}, "f:selector": {}}},
    }
]
"""What makes real objects long, and nobody reads."""


def meta(name: str, namespace: str | None = None, **labels: str) -> Json:
    """Return metadata as a server writes it."""
    return {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        "uid": f"5f0c8d0e-0000-4000-8000-{abs(hash(name)) % 10**12:012d}",
        "resourceVersion": "123456",
        "creationTimestamp": "2026-11-01T10:00:00Z",
        "labels": labels,
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"spec": "x" * 300})},
        "managedFields": MANAGED,
    }


def node(number: int) -> Json:
    """Return a Node with its images, which are most of it."""
    name = f"node-{number}"
    return {
        "metadata": meta(name, **{"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}),
        "spec": {"podCIDR": f"10.{number // 250}.{number % 250}.0/24"},
        "status": {
            "addresses": [{"type": "InternalIP", "address": f"172.16.{number // 250}.{number % 250 + 1}"}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready"}],
            "images": [{"names": [f"registry.example/app-{n}@sha256:{n:064d}"], "sizeBytes": n} for n in range(50)],
        },
    }


def service(number: int) -> Json:
    """Return a LoadBalancer Service; each tenth has policy Local."""
    name = f"svc-{number}"
    policy = "Local" if number % 10 == 0 else "Cluster"
    return {
        "metadata": meta(name, "shop", app=name, team=f"team-{number % 40}"),
        "spec": {
            "type": "LoadBalancer",
            "externalTrafficPolicy": policy,
            "clusterIP": f"10.96.{number // 250}.{number % 250 + 1}",
            "selector": {"app": name},
            "ports": [
                {"name": "http", "protocol": "TCP", "port": 80, "targetPort": 8080, "nodePort": 30000},
                {"name": "https", "protocol": "TCP", "port": 443, "targetPort": 8443, "nodePort": 30001},
            ],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": f"10.200.{number // 250}.{number % 250 + 1}"}]}},
    }


def endpoints(number: int, nodes: int) -> Json:
    """Return the EndpointSlice of a Service with two ready backends."""
    name = f"svc-{number}"
    return {
        "metadata": meta(f"{name}-abcde", "shop", **{"kubernetes.io/service-name": name}),
        "addressType": "IPv4",
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        "endpoints": [
            {
                "addresses": [f"10.{60 + each}.{number // 250}.{number % 250 + 1}"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": f"node-{(number + each) % nodes}",
                "targetRef": {"kind": "Pod", "namespace": "shop", "name": f"{name}-{each}"},
            }
            for each in range(2)
        ],
    }


def lease(number: int, nodes: int) -> Json:
    """Return the L2 announcement lease of a Service."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {
        "holderIdentity": f"node-{number % nodes}",
        "leaseDurationSeconds": 86400,
        "acquireTime": now,
        "renewTime": now,
        "leaseTransitions": 1,
    }
    return {"metadata": meta(f"cilium-l2announce-shop-svc-{number}", "kube-system"), "spec": spec}


CILIUM = {
    "metadata": meta("cilium", "kube-system", **{"k8s-app": "cilium"}),
    "spec": {
        "template": {"spec": {"containers": [{"name": "cilium-agent", "image": "quay.io/cilium/cilium:v1.19.4"}]}}
    },
}
CONFIG = {"enable-l2-announcements": "true", "kube-proxy-replacement": "true", "bpf-lb-mode": "dsr"}
POOL = {"metadata": meta("lan"), "spec": {"blocks": [{"cidr": "10.200.0.0/18"}]}}
POLICY = {"metadata": meta("all"), "spec": {"loadBalancerIPs": True}}
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
LISTS: dict[str, Callable[[int, int], Iterator[Json]]] = {
    "/api/v1/nodes": lambda _, nodes: map(node, range(nodes)),
    "/api/v1/services": lambda number, _: map(service, range(number)),
    "/apis/discovery.k8s.io/v1/endpointslices": lambda number, nodes: map(
        partial(endpoints, nodes=nodes), range(number)
    ),
    LEASES: lambda number, nodes: map(partial(lease, nodes=nodes), range(number)),
    "/apis/apps/v1/daemonsets": lambda *_: iter([CILIUM]),
    "/apis/cilium.io/v2/ciliumloadbalancerippools": lambda *_: iter([POOL]),
    "/apis/cilium.io/v2alpha1/ciliuml2announcementpolicies": lambda *_: iter([POLICY]),
}
BIG = ("/api/v1/nodes", "/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices", LEASES)
"""The lists that grow with the cluster."""
SINGLE: dict[str, Json] = {
    "/version": {"gitVersion": "v1.34.4"},
    "/apis": {"groups": [{"name": "cilium.io"}]},
    "/api/v1/namespaces/kube-system/configmaps/cilium-config": {"metadata": meta("cilium-config"), "data": CONFIG},
}


def pages(items: list[Json]) -> list[bytes]:
    """Return a list's pages as bytes; the continue token is the number of the next page."""
    parts = [items[start : start + PAGE] for start in range(0, len(items), PAGE)] or [[]]
    return [
        json.dumps(
            {
                "kind": "List",
                "metadata": {"resourceVersion": "1", **({"continue": str(n + 1)} if n + 1 < len(parts) else {})},
                "items": part,
            },
            separators=(",", ":"),
        ).encode()
        for n, part in enumerate(parts)
    ]


class Handler(BaseHTTPRequestHandler):
    """Sends what was made before."""

    protocol_version = "HTTP/1.1"
    lists: dict[str, list[bytes]]

    def setup(self) -> None:
        """Send each answer in one go."""
        super().setup()
        self.wfile = self.connection.makefile("wb", buffering=1 << 20)

    def do_GET(self) -> None:
        """Answer from memory."""
        url = urlsplit(self.path)
        if url.path in self.lists:
            self._send(200, self.lists[url.path][int(parse_qs(url.query).get("continue", ["0"])[0])])
        elif url.path in SINGLE:
            self._send(200, json.dumps(SINGLE[url.path]).encode())
        else:
            self._send(404, b'{"kind":"Status","code":404,"message":"not found"}')

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main(number: int, nodes: int) -> None:
    """Serve until stdin is closed."""
    Handler.lists = {path: pages(list(make(number, nodes))) for path, make in LISTS.items()}
    socketserver.TCPServer.request_queue_size = 64
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
