"""MetalLB as its own release manifest installs it, with its admission webhooks; only probe times are shortened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.real.build import METALLB, cache, module_file
from tests.real.hosts import POOL

NAMESPACE = "metallb-system"


def manifests() -> str:
    """Return MetalLB's native (no FRR) manifest as a JSON List for kubectl."""
    objects = [_hurried(each) for each in yaml.safe_load_all(released().read_text()) if each]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})


def released() -> Path:
    """Return the file of the released manifest, copied from the Go module into the cache if it is not there."""
    file = cache() / f"metallb-{METALLB}.yaml"
    if not file.exists():
        text = module_file("metallb", "go.universe.tf/metallb", "config/manifests/metallb-native.yaml")
        fresh = file.with_suffix(".new")
        fresh.write_text(text)
        fresh.rename(file)
    return file


def _hurried(manifest: dict[str, Any]) -> dict[str, Any]:
    """Let a Pod become ready as soon as it is: the released manifest looks for the first time after ten seconds."""
    if manifest["kind"] in {"Deployment", "DaemonSet"}:
        for container in manifest["spec"]["template"]["spec"]["containers"]:
            container["readinessProbe"] |= {"initialDelaySeconds": 0, "periodSeconds": 1}
    return manifest


def pool(name: str = "lan", *addresses: str) -> dict[str, Any]:
    """Return an IPAddressPool of `addresses` ("first-last" or a prefix); without any, of the whole LAN's."""
    return _object("IPAddressPool", name, {"addresses": addresses or POOL})


def advertisement(name: str = "lan", **spec: object) -> dict[str, Any]:
    """Return an L2Advertisement; without a spec it announces every pool from every node."""
    return _object("L2Advertisement", name, spec)


def _object(kind: str, name: str, spec: object) -> dict[str, Any]:
    return {
        "apiVersion": "metallb.io/v1beta1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
