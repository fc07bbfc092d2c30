"""The objects of a MetalLB installation: its manifest, a pool and an advertisement. What others recorded of 0.15.2."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from l2probe.lab.controllers import crds, daemons, kube_proxy
from l2probe.lab.controllers.client import Client
from l2probe.lab.controllers.kinds import (
    CONFIG_MAP,
    CRD,
    IP_ADDRESS_POOL,
    L2_ADVERTISEMENT,
    NAMESPACE,
    SECRET,
    SERVICE_ACCOUNT,
)
from l2probe.lab.controllers.making import body, ensure, ensure_all, ensure_custom
from l2probe.lab.controllers.objects import Obj
from l2probe.lab.controllers.system import service_account
from l2probe.lab.profiles import Profile
from l2probe.lab.topology import POOL4, POOL6

SYSTEM = "metallb-system"
SPEAKER = {"app": "metallb", "component": "speaker"}
CONTROLLER = {"app": "metallb", "component": "controller"}
_EXCLUDED = """\
announcedInterfacesToExclude: ["^docker.*", "^cbr.*", "^dummy.*", "^virbr.*", "^lxcbr.*", "^veth.*", "^lo$",\
 "^cali.*", "^tunl.*", "^flannel.*", "^kube-ipvs.*", "^cni.*", "^nodelocaldns.*", "^lxc.*"]
"""


def _namespace() -> Obj:
    made = body(NAMESPACE, SYSTEM)
    levels = {f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("audit", "enforce", "warn")}
    made["metadata"]["labels"] = levels
    return made


def _own(field: str) -> Obj:
    return {"valueFrom": {"fieldRef": {"fieldPath": field}}}


def speaker(profile: Profile) -> Obj:
    """Return DaemonSet metallb-system/speaker."""
    env = [
        {"name": "METALLB_NODE_NAME", **_own("spec.nodeName")},
        {"name": "METALLB_POD_NAME", **_own("metadata.name")},
        {"name": "METALLB_HOST", **_own("status.hostIP")},
        {"name": "METALLB_ML_BIND_ADDR", **_own("status.podIP")},
        {"name": "METALLB_ML_LABELS", "value": "app=metallb,component=speaker"},
        {"name": "METALLB_ML_SECRET_KEY_PATH", "value": "/etc/ml_secret_key"},
    ]
    container = {
        "name": "speaker",
        "image": f"quay.io/metallb/speaker:v{profile.version}",
        "args": ["--port=7472", "--log-level=info"],
        "env": env,
    }
    return daemons.daemon_set("speaker", SYSTEM, SPEAKER, daemons.host_agent("speaker", container))


def controller(profile: Profile) -> Obj:
    """Return Deployment metallb-system/controller."""
    container = {
        "name": "controller",
        "image": f"quay.io/metallb/controller:v{profile.version}",
        "imagePullPolicy": "IfNotPresent",
        "args": ["--port=7472", "--log-level=info", "--tls-min-version=VersionTLS12"],
        "env": [
            {"name": "METALLB_ML_SECRET_NAME", "value": "memberlist"},
            {"name": "METALLB_DEPLOYMENT", "value": "controller"},
        ],
    }
    spec = {
        "serviceAccountName": "controller",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
    }
    return daemons.deployment("controller", SYSTEM, CONTROLLER, spec)


def pool(profile: Profile) -> Obj:
    """Return the address pool of the lab."""
    ranges = {4: POOL4, 6: POOL6}
    addresses = ["-".join(ranges[family]) for family in profile.families]
    return body(IP_ADDRESS_POOL, "lab", SYSTEM, spec={"addresses": addresses})


def advertisement() -> Obj:
    """Return the advertisement by which every node may announce every address of the pool."""
    return body(L2_ADVERTISEMENT, "lab", SYSTEM, spec={"ipAddressPools": ["lab"]})


async def install(client: Client, profile: Profile, nodes: Sequence[str]) -> None:
    """Make all of it, and kube-proxy."""
    await ensure(client, NAMESPACE, _namespace())
    await asyncio.gather(kube_proxy.install(client, nodes), _custom(client, profile), _programs(client, profile, nodes))


async def _custom(client: Client, profile: Profile) -> None:
    await ensure_all(client, ((CRD, definition) for definition in crds.metallb()))
    await asyncio.gather(
        ensure_custom(client, IP_ADDRESS_POOL, pool(profile)), ensure_custom(client, L2_ADVERTISEMENT, advertisement())
    )


async def _programs(client: Client, profile: Profile, nodes: Sequence[str]) -> None:
    beside = (
        (SERVICE_ACCOUNT, service_account("controller", SYSTEM)),
        (SERVICE_ACCOUNT, service_account("speaker", SYSTEM)),
        (CONFIG_MAP, body(CONFIG_MAP, "metallb-excludel2", SYSTEM, data={"excludel2.yaml": _EXCLUDED})),
        (SECRET, body(SECRET, "memberlist", SYSTEM, data={"secretkey": "bGFi"})),
    )
    await ensure_all(client, beside)
    await asyncio.gather(
        daemons.run_everywhere(client, speaker(profile), nodes), daemons.run_once(client, controller(profile))
    )
