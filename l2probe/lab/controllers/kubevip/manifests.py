"""The objects of a kube-vip installation: DaemonSet (`kube-vip manifest daemonset`), cloud provider, its ranges."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from l2probe.lab.controllers import daemons, kube_proxy
from l2probe.lab.controllers.client import Client
from l2probe.lab.controllers.election import DEFAULT
from l2probe.lab.controllers.kinds import CONFIG_MAP, SERVICE_ACCOUNT
from l2probe.lab.controllers.making import body, ensure_all
from l2probe.lab.controllers.objects import Obj
from l2probe.lab.controllers.plane import KUBE_VIP_RANGES
from l2probe.lab.controllers.system import SYSTEM, service_account
from l2probe.lab.profiles import Profile
from l2probe.lab.topology import POOL4, POOL6, UPLINK

GLOBAL_LEASE = "plndr-svcs-lock"
PROVIDER_VERSION = "v0.0.12"
_RENEW_DEADLINE_SECONDS = 10


def daemon_set(profile: Profile) -> Obj:
    """Return DaemonSet kube-system/kube-vip-ds."""
    settings = {
        "vip_arp": "true",
        "vip_interface": UPLINK,
        "svc_enable": "true",
        "svc_leasename": GLOBAL_LEASE,
        "svc_election": str(not profile.one_lease).lower(),
        "vip_leaseduration": str(DEFAULT.lease),
        "vip_renewdeadline": str(_RENEW_DEADLINE_SECONDS),
        "vip_retryperiod": str(int(DEFAULT.retry)),
        "prometheus_server": ":2112",
    }
    name = {"name": "vip_nodename", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    container = {
        "name": "kube-vip",
        "image": f"ghcr.io/kube-vip/kube-vip:v{profile.version}",
        "args": ["manager"],
        "env": [name, *({"name": key, "value": value} for key, value in settings.items())],
    }
    labels = {"app.kubernetes.io/name": "kube-vip-ds", "app.kubernetes.io/version": f"v{profile.version}"}
    spec = daemons.host_agent("kube-vip", container)
    return daemons.daemon_set("kube-vip-ds", SYSTEM, labels, spec, by=("app.kubernetes.io/name",))


def provider() -> Obj:
    """Return Deployment kube-system/kube-vip-cloud-provider."""
    container = {
        "name": "kube-vip-cloud-provider",
        "image": f"ghcr.io/kube-vip/kube-vip-cloud-provider:{PROVIDER_VERSION}",
        "imagePullPolicy": "IfNotPresent",
        "command": ["/kube-vip-cloud-provider", "--leader-elect-resource-name=kube-vip-cloud-controller"],
    }
    spec = {
        "serviceAccountName": "kube-vip-cloud-controller",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
    }
    labels = {"app": "kube-vip", "component": "kube-vip-cloud-provider"}
    return daemons.deployment("kube-vip-cloud-provider", SYSTEM, labels, spec)


def ranges(profile: Profile) -> Obj:
    """Return ConfigMap kube-system/kubevip."""
    pools = {4: POOL4, 6: POOL6}
    text = ",".join("-".join(pools[family]) for family in profile.families)
    return body(CONFIG_MAP, KUBE_VIP_RANGES.name, KUBE_VIP_RANGES.namespace, data={"range-global": text})


async def install(client: Client, profile: Profile, nodes: Sequence[str]) -> None:
    """Make all of it, and kube-proxy."""
    beside = (
        (SERVICE_ACCOUNT, service_account("kube-vip", SYSTEM)),
        (SERVICE_ACCOUNT, service_account("kube-vip-cloud-controller", SYSTEM)),
        (CONFIG_MAP, ranges(profile)),
    )
    await ensure_all(client, beside)
    await asyncio.gather(
        kube_proxy.install(client, nodes),
        daemons.run_everywhere(client, daemon_set(profile), nodes),
        daemons.run_once(client, provider()),
    )
