"""Cilium L2 announcements: leases, cilium-config, pools. Pure.

Sources: Cilium's pkg/l2announcer/l2announcer.go, pkg/option/config.go, the Helm chart's cilium-configmap.yaml, and
https://docs.cilium.io/en/stable/network/l2-announcements/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from l2probe.announcers.lease import Lease, claim_of
from l2probe.model import Claim, Condition, Datapath, Pool

NAME = "cilium"
NAMESPACE = "kube-system"
CONFIG_MAP = "cilium-config"
DAEMON_SET_LABEL = ("k8s-app", "cilium")
LEASE_PREFIX = "cilium-l2announce-"
SETTINGS = (
    "enable-l2-announcements",
    "l2-announcements-lease-duration",
    "l2-announcements-renew-deadline",
    "l2-announcements-retry-period",
    "kube-proxy-replacement",
    "bpf-lb-mode",
    "bpf-lb-mode-annotation",
    "bpf-lb-dsr-dispatch",
    "bpf-lb-algorithm",
    "bpf-lb-acceleration",
    "routing-mode",
    "tunnel-protocol",
    "devices",
    "force-device-detection",
    "direct-routing-device",
    "enable-external-ips",
    "enable-policy",
    "k8s-client-qps",
    "k8s-client-burst",
    "enable-ipv4",
    "enable-ipv6",
    "enable-lb-ipam",
    "enable-bgp-control-plane",
    "default-lb-service-ipam",
    "service-no-backend-response",
    "enable-no-service-endpoints-routable",
    "vlan-bpf-bypass",
)
"""The keys of cilium-config that decide announcement, delivery or the source address."""
_REPLACES_KUBE_PROXY = ("true", "strict", "partial")
_CONFLICTS = ("cilium.io/PoolConflict", "io.cilium/conflict")
_AVAILABLE = ("cilium.io/IPsAvailable", "io.cilium/ips-available")


def lease_names(namespace: str, service: str) -> tuple[str, str]:
    """Return the names that the Service's lease may have: `<ns>-<svc>`, and `<ns>.<svc>` since cilium#48138."""
    return f"{LEASE_PREFIX}{namespace}-{service}", f"{LEASE_PREFIX}{namespace}.{service}"


def claim(lease: Lease, read_at: float) -> Claim:
    """Return what an L2 announcement lease claims; its holderIdentity is the node's name as it is."""
    return claim_of(lease, NAME, read_at)


def replaces_kube_proxy(config: Mapping[str, str]) -> bool:
    """Tell whether Cilium serves Services itself (`strict` and `partial` are the names before 1.16)."""
    return config.get("kube-proxy-replacement", "false").lower() in _REPLACES_KUBE_PROXY


def announces(config: Mapping[str, str]) -> bool:
    """Tell whether L2 announcements are switched on; they need kube-proxy replacement. An absent key means off."""
    return config.get("enable-l2-announcements", "false").lower() == "true" and replaces_kube_proxy(config)


def datapath(config: Mapping[str, str]) -> Datapath | None:
    """Return bpf-lb-mode (default snat); None when kube-proxy serves, or for a mode we do not know."""
    if not replaces_kube_proxy(config):
        return None
    mode = config.get("bpf-lb-mode", Datapath.SNAT).lower()
    return Datapath(mode) if mode in set(Datapath) else None


def settings(config: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the settings that bear on us, in the order of SETTINGS."""
    return tuple((key, config[key]) for key in SETTINGS if key in config)


def pool(name: str, blocks: Sequence[str], conditions: Sequence[Condition], *, disabled: bool) -> Pool:
    """Return a pool; the counts stand in the *message* of conditions whose status is Unknown."""
    available = next((condition.message for condition in conditions if condition.type in _AVAILABLE), "")
    return Pool(
        name=name,
        blocks=tuple(blocks),
        disabled=disabled,
        conflicting=any(condition.type in _CONFLICTS and condition.status == "True" for condition in conditions),
        available=int(available) if available.isascii() and available.isdigit() else None,
    )


def block(cidr: str | None, start: str | None, stop: str | None) -> str:
    """Return a pool block as CIDR or "start-stop"; a block without stop is one address."""
    return cidr or f"{start}-{stop or start}"
