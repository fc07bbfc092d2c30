"""Faults that only MetalLB, kube-vip or kube-proxy can have. One small function for each, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from l2probe.lab.controllers import kube_proxy, tenants
from l2probe.lab.controllers.kinds import CONFIG_MAP, L2_ADVERTISEMENT, SERVICE
from l2probe.lab.controllers.objects import key_of
from l2probe.lab.controllers.patient import Break, Patient

NO_NODE_HAS = {"node-role.kubernetes.io/edge": ""}
"""A label that no node of the lab carries."""


async def _no_endpoint(patient: Patient) -> None:
    for service in patient.plane.services:
        key = key_of(service)
        if key.namespace == tenants.SHOP:
            await patient.change(SERVICE, key, {"spec": {"selector": {"app": f"{key.name}-v2"}}})


async def _no_advertisement(patient: Patient) -> None:
    await patient.take(patient.plane.policies)


async def _advertisement_node_selector(patient: Patient) -> None:
    for advertisement in patient.plane.policies:
        selector = {"spec": {"nodeSelectors": [{"matchLabels": NO_NODE_HAS}]}}
        await patient.change(L2_ADVERTISEMENT, key_of(advertisement), selector)


async def _ipvs_without_strict_arp(patient: Patient) -> None:
    await patient.change(CONFIG_MAP, kube_proxy.CONFIG, {"data": kube_proxy.data("ipvs")})
    patient.behave(replace(patient.behaviour, everyone=True))


async def _stale_vip(patient: Patient) -> None:
    patient.behave(replace(patient.behaviour, stale=True))


WORLDS: Mapping[str, Break] = {
    "no-endpoint": _no_endpoint,
    "no-advertisement": _no_advertisement,
    "advertisement-node-selector": _advertisement_node_selector,
    "ipvs-without-strict-arp": _ipvs_without_strict_arp,
    "stale-vip": _stale_vip,
}
"""How each fault of these worlds is applied; `Patient.restore` and `Patient.behave` mend them all."""
