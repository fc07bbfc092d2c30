"""kube-proxy beside MetalLB and kube-vip: its objects. What it does to packets, `lab.datapath` does."""

from __future__ import annotations

from collections.abc import Sequence

from l2probe.lab.controllers import daemons
from l2probe.lab.controllers.client import Client
from l2probe.lab.controllers.kinds import CONFIG_MAP, SERVICE_ACCOUNT
from l2probe.lab.controllers.making import body, ensure_all
from l2probe.lab.controllers.objects import Key, Obj
from l2probe.lab.controllers.system import KUBELET_VERSION, SYSTEM, service_account
from l2probe.lab.topology import PODS4, PODS6

NAME = "kube-proxy"
CONFIG = Key(SYSTEM, NAME)


def configuration(mode: str, *, strict_arp: bool = False) -> str:
    """Return kube-proxy's KubeProxyConfiguration as kubeadm stores it."""
    return f"""\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
bindAddress: 0.0.0.0
clusterCIDR: {PODS4},{PODS6}
ipvs:
  strictARP: {str(strict_arp).lower()}
mode: {mode}
"""


def data(mode: str) -> Obj:
    """Return the data of ConfigMap kube-system/kube-proxy."""
    return {"config.conf": configuration(mode)}


async def install(client: Client, nodes: Sequence[str]) -> None:
    """Make its ConfigMap, its DaemonSet and a Pod on each node."""
    account = (SERVICE_ACCOUNT, service_account(NAME, SYSTEM))
    await ensure_all(client, (account, (CONFIG_MAP, body(CONFIG_MAP, NAME, SYSTEM, data=data("nftables")))))
    container = {
        "name": NAME,
        "image": f"registry.k8s.io/kube-proxy:{KUBELET_VERSION}",
        "command": ["/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf"],
    }
    spec = daemons.host_agent(NAME, container)
    await daemons.run_everywhere(client, daemons.daemon_set(NAME, SYSTEM, {"k8s-app": NAME}, spec), nodes)
