"""Faults of the agents and of the datapath that they program: what every node does from now on. One table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import TypedDict, Unpack

from l2probe.lab.controllers.cilium import LEASE_PREFIX
from l2probe.lab.controllers.kinds import CONFIG_MAP, LEASE
from l2probe.lab.controllers.objects import Key, Obj, key_of, micro_timestamp
from l2probe.lab.controllers.patient import Break, Patient
from l2probe.lab.controllers.system import CONFIG, SYSTEM
from l2probe.lab.driver import NoBackend
from l2probe.lab.profiles import Mode

GHOST = "node-9"
"""A node that was taken out of the cluster."""
LONG_AGO_SECONDS = 600.0
RESTLESS_CHANGES = 3


class _Change(TypedDict, total=False):
    answering: bool
    duplicated: bool
    displaced: bool
    foreign: bool
    dropping: bool
    alive: bool
    ghost: str
    announcing: bool
    dsr: bool
    mode: Mode
    no_backend: NoBackend
    masquerade: bool
    broadcast: bool
    multicast: bool
    gratuitous: bool
    restless: bool
    prompt: bool
    reversing: bool


def _behaving(**change: Unpack[_Change]) -> Break:
    async def apply(patient: Patient) -> None:
        patient.behave(replace(patient.behaviour, **change))

    return apply


def _configured(settings: Mapping[str, str], **change: Unpack[_Change]) -> Break:
    """Return the fault of agents that were restarted with these settings of cilium-config."""

    async def apply(patient: Patient) -> None:
        await patient.change(CONFIG_MAP, Key(SYSTEM, CONFIG), {"data": dict(settings)})
        await _behaving(**change)(patient)

    return apply


async def _displaced(patient: Patient) -> None:
    """Let another node answer, and have it so for ten minutes: of a lease just taken nobody could tell."""
    since = micro_timestamp(time.time() - LONG_AGO_SECONDS)
    for lease in patient.plane.leases:
        if key_of(lease).name.startswith(LEASE_PREFIX) and lease["spec"].get("holderIdentity"):
            aged = await patient.plane.client.merge(LEASE, key_of(lease), {"spec": {"acquireTime": since}})
            patient.plane.leases.store(aged)
    await _behaving(displaced=True)(patient)


async def _restless(patient: Patient) -> None:
    """Let holders let go again and again, and have it so for a while: one change of hands is none of its signs."""
    await _behaving(restless=True)(patient)
    leases = patient.plane.leases
    held = [key_of(lease) for lease in leases if key_of(lease).name.startswith(LEASE_PREFIX)]
    await leases.until(lambda: all(_transitions(leases.get(key)) >= RESTLESS_CHANGES for key in held))


def _transitions(lease: Obj | None) -> float:
    """Return how often a lease changed hands; one that is gone changes no more."""
    return inf if lease is None else int(lease["spec"].get("leaseTransitions") or 0)


async def _holder_gone(patient: Patient) -> None:
    """Leave every lease to a node that is gone; healing deletes them, as one must."""

    async def delete() -> None:
        for lease in patient.plane.leases:
            if lease["spec"].get("holderIdentity") == GHOST:
                await patient.plane.client.delete(LEASE, key_of(lease))

    patient.undo.append(delete)
    await _behaving(alive=False, ghost=GHOST)(patient)


AGENTS: Mapping[str, Break] = {
    "silent-leader": _behaving(answering=False),
    "duplicate-announcers": _behaving(duplicated=True),
    "holder-mismatch": _displaced,
    "foreign-owner": _behaving(foreign=True),
    "stale-lease": _behaving(alive=False),
    "holder-gone": _holder_gone,
    "announcer-drops": _behaving(dropping=True),
    "broadcast-unanswered": _behaving(broadcast=False),
    "multicast-unanswered": _behaving(multicast=False),
    "announcements-off": _configured({"enable-l2-announcements": "false"}, announcing=False),
    "kube-proxy-replacement-off": _configured({"kube-proxy-replacement": "false"}, announcing=False, mode=Mode.SNAT),
    "dsr-not-effective": _behaving(dsr=False),
    "snat": _configured({"bpf-lb-mode": "snat"}, mode=Mode.SNAT),
    "hybrid": _configured({"bpf-lb-mode": "hybrid"}, mode=Mode.HYBRID),
    "local-policy-drops": _configured({"service-no-backend-response": "drop"}, no_backend=NoBackend.DROP),
    "masquerade-all": _behaving(masquerade=True),
    "no-gratuitous-arp": _behaving(gratuitous=False),
    "announcer-flaps": _restless,
    "slow-failover": _behaving(prompt=False),
    "reply-not-translated": _behaving(reversing=False),
}
"""How each fault of behaviour is applied; `Patient.behave` with the healthy one mends them all."""
