"""kube-vip in ARP mode as one of the lab's implementations, with its cloud provider and kube-proxy."""

from __future__ import annotations

from l2probe.lab.controllers.kubevip.cloud_provider import CloudProvider
from l2probe.lab.controllers.kubevip.leaders import hire
from l2probe.lab.controllers.kubevip.manifests import install

__all__ = ["CloudProvider", "hire", "install"]
