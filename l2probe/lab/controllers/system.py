"""The objects that make a cluster this cluster: nodes, Cilium, its configuration, pool and policy. Writes nothing.

Keys of cilium-config as the Helm charts of each version write them (research/cilium.md, section 2).
"""

from __future__ import annotations

import platform
from collections.abc import Sequence

from l2probe.lab.controllers import daemons
from l2probe.lab.controllers.kinds import (
    CONFIG_MAP,
    LEASE,
    NAMESPACE,
    NODE,
    POLICY,
    SERVICE_ACCOUNT,
)
from l2probe.lab.controllers.kinds import pool as pool_kind
from l2probe.lab.controllers.making import body
from l2probe.lab.controllers.objects import Obj, micro_timestamp, timestamp
from l2probe.lab.driver import NodeDriver
from l2probe.lab.profiles import Mode, Profile, Timers
from l2probe.lab.topology import PODS4, POOL4, POOL6, UPLINK

SYSTEM = "kube-system"
CONFIG = "cilium-config"
"""The ConfigMap from which agents read their settings."""
NODE_LEASES = "kube-node-lease"
KUBELET_VERSION = "v1.34.4"
AGENT_LABELS = {"k8s-app": "cilium", "app.kubernetes.io/name": "cilium-agent", "app.kubernetes.io/part-of": "cilium"}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_NO_ENDPOINTS_ROUTABLE_SINCE = (1, 19)
_EXTERNAL_IPS_UNTIL = (1, 17)


def minor(version: str) -> tuple[int, int]:
    """`1.20.2` -> (1, 20)."""
    first, second, *_ = version.split(".")
    return int(first), int(second)


def namespaces() -> tuple[Obj, ...]:
    """Return the namespaces that every cluster has."""
    return tuple(body(NAMESPACE, name) for name in ("default", SYSTEM, "kube-public", NODE_LEASES))


def _node_condition(kind: str, *, true: bool, reason: str, message: str, now: str) -> Obj:
    times = {"lastHeartbeatTime": now, "lastTransitionTime": now}
    return {"type": kind, "status": "True" if true else "False", "reason": reason, "message": message, **times}


def _node_conditions(now: str) -> list[Obj]:
    pressures = (
        ("Memory", "sufficient memory available"),
        ("Disk", "no disk pressure"),
        ("PID", "sufficient PID available"),
    )
    reasons = {
        "Memory": "KubeletHasSufficientMemory",
        "Disk": "KubeletHasNoDiskPressure",
        "PID": "KubeletHasSufficientPID",
    }
    fine = [
        _node_condition(f"{name}Pressure", true=False, reason=reasons[name], message=f"kubelet has {what}", now=now)
        for name, what in pressures
    ]
    message = "kubelet is posting ready status"
    return [*fine, _node_condition("Ready", true=True, reason="KubeletReady", message=message, now=now)]


def node(driver: NodeDriver, number: int, addresses: Sequence[str], clock: float) -> Obj:
    """Return the Node of a machine as its kubelet registers it; `number` counts from 1 and is in its Pod ranges."""
    arch = _ARCHITECTURES.get(platform.machine(), platform.machine())
    labels = {"kubernetes.io/hostname": driver.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": arch}
    ranges = [f"10.244.{number}.0/24", f"fd00:10:{number}::/64"][: len(addresses)]
    known = [*(("InternalIP", address) for address in addresses), ("Hostname", driver.name)]
    amounts = {"cpu": "2", "memory": "2Gi", "pods": "110"}
    status = {
        "addresses": [{"type": kind, "address": address} for kind, address in known],
        "capacity": amounts,
        "allocatable": amounts,
        "conditions": _node_conditions(timestamp(clock)),
        "nodeInfo": {
            "architecture": arch,
            "bootID": "00000000-0000-0000-0000-000000000000",
            "containerRuntimeVersion": "containerd://2.0.0",
            "kernelVersion": platform.release(),
            "kubeProxyVersion": "",
            "kubeletVersion": KUBELET_VERSION,
            "machineID": driver.mac.replace(":", ""),
            "operatingSystem": "linux",
            "osImage": "l2probe lab",
            "systemUUID": driver.mac.replace(":", ""),
        },
    }
    made = body(NODE, driver.name, spec={"podCIDR": ranges[0], "podCIDRs": ranges}, status=status)
    made["metadata"]["labels"] = labels
    return made


def node_lease(name: str, clock: float) -> Obj:
    """Return the Lease by which a kubelet shows that its node lives."""
    spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": micro_timestamp(clock)}
    return body(LEASE, name, NODE_LEASES, spec=spec)


def config(profile: Profile) -> dict[str, str]:
    """Return the data of ConfigMap kube-system/cilium-config."""
    version = minor(profile.version)
    data = {
        "auto-direct-node-routes": "true",
        "bpf-lb-acceleration": "disabled",
        "bpf-lb-algorithm-annotation": "false",
        "bpf-lb-mode": str(profile.mode),
        "bpf-lb-mode-annotation": "false",
        "default-lb-service-ipam": "lbipam",
        "devices": UPLINK,
        "enable-health-check-nodeport": "true",
        "enable-ipv4": "true",
        "enable-ipv6": str(6 in profile.families).lower(),  # noqa: PLR2004 - the IP version
        "enable-l2-announcements": "true",
        "enable-lb-ipam": "true",
        "ipam": "kubernetes",
        "ipv4-native-routing-cidr": PODS4,
        "kube-proxy-replacement": "true",
        "routing-mode": "native",
        "service-no-backend-response": str(profile.no_backend),
        "tunnel-protocol": "vxlan",
    }
    if profile.mode is not Mode.SNAT:
        data["bpf-lb-dsr-dispatch"] = "opt"
    if profile.timers != Timers():
        # The chart writes these three only when they are set.
        data["l2-announcements-lease-duration"] = f"{profile.timers.lease}s"
        data["l2-announcements-renew-deadline"] = f"{profile.timers.renew * 1000:.0f}ms"
        data["l2-announcements-retry-period"] = f"{profile.timers.retry * 1000:.0f}ms"
    if version >= _NO_ENDPOINTS_ROUTABLE_SINCE:
        data["enable-no-service-endpoints-routable"] = "true"
    if version <= _EXTERNAL_IPS_UNTIL:
        data["enable-external-ips"] = "true"
    return data


def config_map(profile: Profile) -> Obj:
    """Return ConfigMap kube-system/cilium-config."""
    return body(CONFIG_MAP, CONFIG, SYSTEM, data=config(profile))


def service_account(name: str, namespace: str) -> Obj:
    """Return a ServiceAccount, without which a real API server admits no Pod."""
    return body(SERVICE_ACCOUNT, name, namespace)


def daemon_set(profile: Profile) -> Obj:
    """Return DaemonSet kube-system/cilium."""
    container = {
        "name": "cilium-agent",
        "image": f"cilium/cilium:v{profile.version}",
        "command": ["cilium-agent"],
        "args": ["--config-dir=/tmp/cilium/config-map"],
    }
    return daemons.daemon_set("cilium", SYSTEM, AGENT_LABELS, daemons.host_agent("cilium", container), by=("k8s-app",))


def pool(profile: Profile) -> Obj:
    """Return the address pool of the lab."""
    ranges = {4: POOL4, 6: POOL6}
    blocks = [{"start": ranges[family][0], "stop": ranges[family][1]} for family in profile.families]
    return body(pool_kind(profile.pool_versions[0]), "lab", spec={"blocks": blocks, "disabled": False})


def policy() -> Obj:
    """Return the policy by which every node may announce every Service on its uplink."""
    spec = {"interfaces": ["^eth[0-9]+"], "externalIPs": True, "loadBalancerIPs": True}
    return body(POLICY, "lab", spec=spec)
