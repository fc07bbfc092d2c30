"""A node's machine: containerd with the images, then kubelet and kube-proxy with their configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.real.hosts import CGROUP, NAME_SERVER, POD_NETWORKS, Host
from tests.real.images import PAUSE
from tests.real.machine import API_IS_UP, PKI, Machine, Step, within_cache

SOCKET = "/run/containerd/containerd.sock"
CONFIGURED = Path("/run/l2probe-node")
PLUGINS = "/usr/lib/cni"
"""Where Debian's containernetworking-plugins are."""

CONTAINERD = f"""
version = 2
disabled_plugins = ["io.containerd.internal.v1.opt",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.native", "io.containerd.snapshotter.v1.zfs"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{PLUGINS}"
    conf_dir = "{CONFIGURED}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


def node(host: Host, programs: Mapping[str, Path], images: Path) -> Machine:
    """Return the machine of one node; the kubelet waits for API_IS_UP, everything before it does not."""
    steps = (
        Step(name="containerd", argv=("containerd", "--config", f"{CONFIGURED}/containerd.toml")),
        Step(await_file=SOCKET),
        Step(argv=("ctr", "--namespace", "k8s.io", "images", "import", within_cache(images))),
        Step(await_file=str(API_IS_UP)),
        Step(name="kubelet", argv=(within_cache(programs["kubelet"]), *_kubelet(host))),
        Step(name="kube-proxy", argv=(within_cache(programs["kube-proxy"]), f"--config={CONFIGURED}/proxy.json")),
    )
    files = {
        f"{CONFIGURED}/containerd.toml": CONTAINERD,
        f"{CONFIGURED}/cni/10-pods.conflist": json.dumps(_pod_network(host)),
        f"{CONFIGURED}/kubelet.json": json.dumps(_kubelet_settings(host)),
        f"{CONFIGURED}/proxy.json": json.dumps(_proxy_settings(host)),
    }
    return Machine(name=host.name, steps=steps, files=files, cgroup=True)


def _kubelet(host: Host) -> tuple[str, ...]:
    return (
        f"--config={CONFIGURED}/kubelet.json",
        f"--kubeconfig={PKI}/{host.name}.kubeconfig",
        f"--hostname-override={host.name}",
        f"--node-ip={','.join(host.addresses)}",
    )


def _kubelet_settings(host: Host) -> dict[str, object]:
    """Return a KubeletConfiguration. Eviction is off: the node's disk is memory, and the real one is not its own."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": f"{PKI}/ca.crt"}},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}/{host.name}",
        "failCgroupV1": False,
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "evictionHard": dict.fromkeys(("memory.available", "nodefs.available", "imagefs.available"), "0%"),
        "clusterDNS": [NAME_SERVER],
        "clusterDomain": "cluster.local",
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": False,
        "resolvConf": "",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
    }


def _proxy_settings(host: Host) -> dict[str, object]:
    """Return a KubeProxyConfiguration. Zeroes leave the machine-wide connection tracking table as it is."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": f"{PKI}/proxy.kubeconfig"},
        "hostnameOverride": host.name,
        "clusterCIDR": ",".join(POD_NETWORKS),
        "conntrack": {"maxPerCore": 0, "min": 0},
    }


def _pod_network(host: Host) -> dict[str, object]:
    """Return the CNI network: one bridge per node, the node routes; masquerading is the LAN's (network.py)."""
    ranges = [[{"subnet": each}] for each in host.pods]
    addresses = {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}
    bridge = {"type": "bridge", "bridge": "cni0", "isGateway": True, "hairpinMode": True, "ipam": addresses}
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}
