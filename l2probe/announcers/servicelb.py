"""ServiceLB, the load balancer that k3s has built in: a DaemonSet for each Service. Pure.

Source: k3s' pkg/cloudprovider/servicelb.go; https://docs.k3s.io/networking/networking-services.
"""

from __future__ import annotations

from collections.abc import Mapping

NAME = "k3s ServiceLB"
PREFIX = "svclb-"
IMAGE = "klipper-lb"
SERVICE_LABEL = "svccontroller.k3s.cattle.io/svcname"
SERVICE_NAMESPACE_LABEL = "svccontroller.k3s.cattle.io/svcnamespace"


def service_of(namespace: str, name: str, labels: Mapping[str, str], image: str) -> str | None:
    """Return the Service (namespace/name) that a DaemonSet of ServiceLB serves; None for any other DaemonSet.

    Before it wrote the labels, the DaemonSet stood in the Service's namespace and had its name behind the prefix.
    """
    if labels.get(SERVICE_LABEL):
        return f"{labels.get(SERVICE_NAMESPACE_LABEL) or namespace}/{labels[SERVICE_LABEL]}"
    if name.startswith(PREFIX) and IMAGE in image:
        return f"{namespace}/{name.removeprefix(PREFIX)}"
    return None
