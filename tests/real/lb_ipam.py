"""Cilium's real operator beside MetalLB: it gives addresses to Services of Cilium's class and says why not.

No agent runs, so nothing announces these addresses. MetalLB leaves Services of a foreign class alone, and the operator
is told to leave those without a class alone; so neither disturbs the other.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.real.build import OPERATOR, program
from tests.real.cluster import KUBECONFIG, apply, kubectl, succeeds, until
from tests.real.hosts import WORLD
from tests.real.network import namespace

CLASS = "io.cilium/l2-announcer"
SATISFIED = "cilium.io/IPAMRequestSatisfied"
POOLS = "ciliumloadbalancerippools.cilium.io"
SETTINGS = {
    "default-lb-service-ipam": "none",
    "enable-ipv4": "true",
    "enable-ipv6": "true",
    "enable-l2-announcements": "true",
    "ipam": "kubernetes",
}
"""As the ConfigMap cilium-config has them; the operator's Pod sees it as a directory with a file for each."""


@contextmanager
def lb_ipam() -> Iterator[None]:
    """Run the operator on the control plane's machine; its kinds, and with them its objects, are deleted at the end."""
    env = {**os.environ, "K8S_NAMESPACE": "kube-system", "CILIUM_K8S_NAMESPACE": "kube-system"}
    with (
        tempfile.TemporaryDirectory() as directory,
        (WORLD / "log" / "operator.log").open("ab") as log,
        subprocess.Popen(_operator(Path(directory)), env=env, stdout=log, stderr=log) as operator,
    ):
        try:
            until(lambda: succeeds("wait", "--for=condition=Established", f"crd/{POOLS}"), "Cilium's kinds", seconds=60)
            yield
        finally:
            operator.kill()
            _forget()


def _operator(directory: Path) -> tuple[str, ...]:
    """Return the operator's command line. It leaves a socket below /run, so it gets a /run of its own."""
    settings = directory / "config"
    settings.mkdir()
    for key, value in SETTINGS.items():
        (settings / key).write_text(value)
    kubeconfig = shutil.copy(KUBECONFIG, directory / "kubeconfig")
    private = ("unshare", "--mount", "sh", "-c", 'mount --no-mtab -t tmpfs tmpfs /run && exec "$@"', "sh")
    argv = (str(program(OPERATOR)), f"--k8s-kubeconfig-path={kubeconfig}", f"--config-dir={settings}")
    return ("nsenter", f"--net={namespace('rc-cp')}", *private, *argv)


def _forget() -> None:
    """Delete Cilium's kinds, so that the cluster is MetalLB's alone again."""
    kinds = [each for each in kubectl("get", "crd", "-o", "name").split() if each.endswith(".cilium.io")]
    if kinds:
        kubectl("delete", *kinds)


def pool(name: str, cidr: str, **spec: object) -> dict[str, Any]:
    """Return a CiliumLoadBalancerIPPool of one block."""
    spec = {"blocks": [{"cidr": cidr}], **spec}
    return {"apiVersion": "cilium.io/v2", "kind": "CiliumLoadBalancerIPPool", "metadata": {"name": name}, "spec": spec}


def service(name: str, *, address: str = "", **labels: str) -> dict[str, Any]:
    """Return a Service of Cilium's class in namespace default, asking for `address` if one is given."""
    wish = {"lbipam.cilium.io/ips": address} if address else {}
    spec = {"type": "LoadBalancer", "loadBalancerClass": CLASS, "ports": [{"port": 80}]}
    metadata = {"name": name, "namespace": "default", "labels": labels, "annotations": wish}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def reason(name: str) -> str | None:
    """Return why the Service has or has not got its address, in LB IPAM's word; None when it said nothing."""
    status = json.loads(kubectl("get", "service", name, "-o", "json"))["status"]
    found = [each["reason"] for each in status.get("conditions", ()) if each["type"] == SATISFIED]
    return found[0] if found else None


@contextmanager
def objects(*manifests: dict[str, Any]) -> Iterator[None]:
    """Have these Services and pools for a while."""
    apply(*manifests)
    try:
        yield
    finally:
        whole = {"apiVersion": "v1", "kind": "List", "items": manifests}
        kubectl("delete", "--ignore-not-found", "-f", "-", stdin=json.dumps(whole))
