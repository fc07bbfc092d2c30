"""Faults of cables and machines: what switch, devices and NICs do to frames, whatever the agents want. One table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypedDict, Unpack

from l2probe.lab.controllers.kinds import POLICY
from l2probe.lab.controllers.objects import key_of
from l2probe.lab.controllers.patient import Break, Patient
from l2probe.lab.driver import HARMLESS, Severed

MTU_BYTES = 1400
LOSS_PERCENT = 30


async def _shrink(patient: Patient) -> None:
    await patient.world.switch.limit_frames(None, MTU_BYTES)


async def _lose(patient: Patient) -> None:
    await patient.world.switch.lose(None, LOSS_PERCENT)


class _Change(TypedDict, total=False):
    severed: Severed
    intercepting: bool
    isolating: bool
    translating: bool


def _meddling(**change: Unpack[_Change]) -> Break:
    async def apply(patient: Patient) -> None:
        await patient.meddle(replace(patient.meddling, **change))

    return apply


def _second_nics(*, shy: bool = False, only: bool = False) -> Break:
    """Return the fault of nodes with two NICs on the segment; `only`: the policies name the second one.

    `shy`: the second one does not answer for the node's own address (Linux arp_ignore=1).
    """

    async def apply(patient: Patient) -> None:
        for node in patient.world.nodes:
            await node.second_nic(present=True, shy=shy)
        for policy in patient.plane.policies if only else ():
            await patient.change(POLICY, key_of(policy), {"spec": {"interfaces": ["^eth1$"]}})
        patient.announcers.look()

    return apply


async def _keep(patient: Patient) -> None:
    patient.world.client_host.keep_neighbours(keep=True)


async def _detour(patient: Patient) -> None:
    await patient.world.client_host.detour(detour=True)


NETWORK: Mapping[str, Break] = {
    "mtu": _shrink,
    "loss": _lose,
    "several-nics": _second_nics(),
    "reply-from-other-nic": _second_nics(only=True),
    "announcer-unmapped": _second_nics(only=True, shy=True),
    "cross-node-blocked": _meddling(severed=Severed.ALL),
    "cross-node-udp-blocked": _meddling(severed=Severed.UDP),
    "intercepted": _meddling(intercepting=True),
    "translated": _meddling(translating=True),
    "deaf-interface": _meddling(isolating=True),
    "gratuitous-arp-ignored": _keep,
    "asymmetric-path": _detour,
}
"""How each fault of the network is applied; `mend` ends them all."""


async def mend(patient: Patient) -> None:
    """Let switch, devices, NICs and client do again what they should."""
    await patient.world.switch.limit_frames(None, None)
    await patient.world.switch.lose(None, 0)
    patient.world.client_host.keep_neighbours(keep=False)
    await patient.world.client_host.detour(detour=False)
    await patient.meddle(HARMLESS)
    for node in patient.world.nodes:
        await node.second_nic(present=False)
    patient.announcers.look()
