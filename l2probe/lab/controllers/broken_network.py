"""Faults of cables and machines: what switch and nodes do to frames, whatever the agents want. One table."""

from __future__ import annotations

from collections.abc import Mapping

from l2probe.lab.controllers.patient import Break, Patient
from l2probe.lab.driver import World

MTU_BYTES = 1400
LOSS_PERCENT = 30


async def _shrink(patient: Patient) -> None:
    await patient.world.switch.limit_frames(None, MTU_BYTES)


async def _lose(patient: Patient) -> None:
    await patient.world.switch.lose(None, LOSS_PERCENT)


NETWORK: Mapping[str, Break] = {
    "mtu": _shrink,
    "loss": _lose,
}
"""How each fault of the network is applied; `mend` ends them all."""


async def mend(world: World) -> None:
    """Let switch and nodes do again what they should."""
    await world.switch.limit_frames(None, None)
    await world.switch.lose(None, 0)
