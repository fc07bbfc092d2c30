"""Faults in the API: objects that are missing or say the wrong thing. One small function for each, in one table."""

from __future__ import annotations

from collections.abc import Mapping

from l2probe.lab.controllers import tenants
from l2probe.lab.controllers.allocation import ingress_of
from l2probe.lab.controllers.kinds import POLICY, SERVICE
from l2probe.lab.controllers.objects import Key, Obj, key_of
from l2probe.lab.controllers.patient import Break, Patient

SHOP_API = Key(tenants.SHOP, "api")
WRONG_PORT = 8081
"""Where no container of the shop listens."""


async def _no_policy(patient: Patient) -> None:
    await patient.take(patient.plane.policies)


async def _no_pool(patient: Patient) -> None:
    await patient.take(patient.plane.pools)


def _policy(**spec: object) -> Break:
    async def apply(patient: Patient) -> None:
        for policy in patient.plane.policies:
            await patient.change(POLICY, key_of(policy), {"spec": spec})

    return apply


def _shop_services(patient: Patient) -> list[Obj]:
    return [service for service in patient.plane.services if key_of(service).namespace == tenants.SHOP]


async def _no_ready_backend(patient: Patient) -> None:
    for service in _shop_services(patient):
        key = key_of(service)
        await patient.change(SERVICE, key, {"spec": {"selector": {"app": f"{key.name}-v2"}}})


async def _wrong_target_port(patient: Patient) -> None:
    for service in _shop_services(patient):
        ports = [{**port, "targetPort": WRONG_PORT} for port in service["spec"]["ports"]]
        await patient.change(SERVICE, key_of(service), {"spec": {"ports": ports}})


def _another(name: str, **metadata: object) -> Obj:
    """Return one more Service for the Pods of shop/api."""
    made = tenants.service(tenants.Tenant(name=name, policy="Cluster", places=()))
    made["metadata"] |= metadata
    made["spec"]["selector"] = {"app": SHOP_API.name}
    return made


async def _address_taken(patient: Patient) -> None:
    owner = patient.plane.services.get(SHOP_API)
    wanted = ",".join(map(str, ingress_of(owner))) if owner else ""
    await patient.make(SERVICE, _another("cart", annotations={"lbipam.cilium.io/ips": wanted}))


async def _foreign_class(patient: Patient) -> None:
    made = _another("checkout")
    made["spec"]["loadBalancerClass"] = "appliance.example.com/lb"
    await patient.make(SERVICE, made)


OBJECTS: Mapping[str, Break] = {
    "no-policy": _no_policy,
    "policy-service-selector": _policy(serviceSelector={"matchLabels": {"announce": "l2"}}),
    "policy-node-selector": _policy(nodeSelector={"matchLabels": {"node-role.kubernetes.io/edge": ""}}),
    "policy-no-addresses": _policy(externalIPs=False, loadBalancerIPs=False),
    "no-pool": _no_pool,
    "requested-address-taken": _address_taken,
    "foreign-load-balancer-class": _foreign_class,
    "no-ready-backend": _no_ready_backend,
    "wrong-target-port": _wrong_target_port,
}
"""How each fault of objects is applied; `Patient.restore` mends them all."""
