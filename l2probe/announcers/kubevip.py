"""kube-vip in ARP mode: leases. Pure.

Source: kube-vip's pkg/kubevip/config_envvar.go and pkg/services; https://kube-vip.io/docs/usage/kubernetes-services/.
"""

from __future__ import annotations

from l2probe.announcers.lease import Lease, claim_of
from l2probe.model import Claim

NAME = "kube-vip"
NAMESPACE = "kube-system"
LEASE_PREFIX = "kubevip-"
GLOBAL_LEASE = "plndr-svcs-lock"
"""One lease for all Services, unless `svc_election` gives each its own."""


def lease_names(service: str) -> tuple[str, str]:
    """Return the leases that may decide for a Service: its own (in its namespace), else the global one."""
    return f"{LEASE_PREFIX}{service}", GLOBAL_LEASE


def is_kube_vip(image: str) -> bool:
    """Tell whether a container image is kube-vip itself (not its cloud provider)."""
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return name in {"kube-vip", "kube-vip-iptables"}


def claim(lease: Lease, read_at: float) -> Claim:
    """Return what a kube-vip lease claims; the holder is the node's name."""
    return claim_of(lease, NAME, read_at)
