"""Faults of pools, policies and Services that say the wrong thing, and of who hands out addresses. One table."""

from __future__ import annotations

from collections.abc import Mapping

from l2probe.errors import LabError
from l2probe.lab.controllers.endpoints import SERVICE_NAME
from l2probe.lab.controllers.ipam import Ipam
from l2probe.lab.controllers.kinds import POLICY, SERVICE, SLICE
from l2probe.lab.controllers.making import body
from l2probe.lab.controllers.objects import Obj, key_of
from l2probe.lab.controllers.patient import Break, Patient
from l2probe.lab.controllers.servicelb import TURN_SECONDS, ServiceLb
from l2probe.lab.controllers.tenants import PORT, SHOP

NODES_BLOCK = "198.51.100.13/30"
"""Meant to begin at .13; without its host bits it is .12 to .15, and two nodes have .12 and .13."""
OFF_LINK = {"start": "203.0.113.40", "stop": "203.0.113.79"}
"""RFC 5737; no machine of the lab has an address there."""
NO_SUCH_DEVICE = "^enp.*"
GATEWAY = "cilium-gateway-web"
SYNTHETIC = "192.192.192.192"
"""What Cilium's Gateway API writes as the endpoint of its Services: Envoy listens, on no node in particular."""
SHARING_KEY = "lbipam.cilium.io/sharing-key"
SHARERS = {"mail": 25, "chat": 5222}
"""Two Services whose elections different nodes win in the lab."""


def _ipam(patient: Patient) -> Ipam:
    """Return LB IPAM. LabError where another implementation gives addresses."""
    if not isinstance(patient.allocator, Ipam):
        raise LabError("The fault is one of Cilium's LB IPAM.", "Choose a profile of Cilium.")
    return patient.allocator


async def _move_pool(patient: Patient, block: Obj) -> None:
    """Give the pool another IPv4 block."""
    _ipam(patient)
    for pool in patient.plane.pools:
        others = [each for each in pool["spec"]["blocks"] if ":" in str(each.get("start") or each.get("cidr"))]
        await patient.change(patient.plane.pools.kind, key_of(pool), {"spec": {"blocks": [block, *others]}})


async def _pool_on_nodes(patient: Patient) -> None:
    await _move_pool(patient, {"cidr": NODES_BLOCK})


async def _pool_off_link(patient: Patient) -> None:
    await _move_pool(patient, OFF_LINK)


async def _wrong_interface(patient: Patient) -> None:
    for policy in patient.plane.policies:
        await patient.change(POLICY, key_of(policy), {"spec": {"interfaces": [NO_SUCH_DEVICE]}})


async def _address_given_twice(patient: Patient) -> None:
    ipam = _ipam(patient)
    patient.undo.append(ipam.behave)
    ipam.forget()


async def _two_controllers(patient: Patient) -> None:
    ipam = _ipam(patient)
    patient.undo.append(ipam.behave)
    ipam.lag = TURN_SECONDS
    second = ServiceLb(patient.plane, patient.world.nodes[-1].name)
    patient.undo.append(second.stop)
    await second.start()


async def _gateway_local(patient: Patient) -> None:
    ports = [{"name": "http", "protocol": "TCP", "port": 80}]
    labels = {"io.cilium.gateway/owning-gateway": "web", "gateway.networking.k8s.io/gateway-name": "web"}
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": ports}
    service = body(SERVICE, GATEWAY, SHOP, spec=spec)
    service["metadata"]["labels"] = labels
    await patient.make(SERVICE, service)
    endpoints: Obj = {
        "addressType": "IPv4",
        "endpoints": [{"addresses": [SYNTHETIC]}],
        "ports": [{"name": "http", "protocol": "TCP", "port": 9999}],
    }
    made = body(SLICE, GATEWAY, SHOP, **endpoints)
    made["metadata"]["labels"] = {SERVICE_NAME: GATEWAY}
    await patient.make(SLICE, made)


async def _shared_address(patient: Patient) -> None:
    for name, port in SHARERS.items():
        spec = {
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Cluster",
            "ipFamilyPolicy": "PreferDualStack",
            "selector": {"app": "api"},
            "ports": [{"name": name, "protocol": "TCP", "port": port, "targetPort": PORT}],
        }
        service = body(SERVICE, name, SHOP, spec=spec)
        service["metadata"]["annotations"] = {SHARING_KEY: SHOP}
        await patient.make(SERVICE, service)


ADDRESSES: Mapping[str, Break] = {
    "pool-on-nodes": _pool_on_nodes,
    "two-controllers": _two_controllers,
    "pool-off-link": _pool_off_link,
    "address-given-twice": _address_given_twice,
    "wrong-interface": _wrong_interface,
    "gateway-local": _gateway_local,
    "shared-address": _shared_address,
}
"""How each of these faults is applied; `Patient.restore` mends them all."""
