"""Breaks a running cluster in the ways of `lab.faults`, and mends it. The tables say how, each about one noun."""

from __future__ import annotations

from collections.abc import Mapping

from l2probe.errors import UsageError
from l2probe.lab.controllers import broken_network
from l2probe.lab.controllers.behaviour import HEALTHY
from l2probe.lab.controllers.broken_addresses import ADDRESSES
from l2probe.lab.controllers.broken_agents import AGENTS
from l2probe.lab.controllers.broken_network import NETWORK
from l2probe.lab.controllers.broken_objects import OBJECTS
from l2probe.lab.controllers.broken_worlds import WORLDS
from l2probe.lab.controllers.patient import Break, Patient

BREAKS: Mapping[str, Break] = {**AGENTS, **NETWORK, **OBJECTS, **WORLDS, **ADDRESSES}
"""How each fault of `lab.faults` is applied."""


async def break_(patient: Patient, name: str) -> None:
    """Apply a fault beside those that are active. UsageError when there is none of that name."""
    if name not in BREAKS:
        raise UsageError(f"The lab has no fault named {name}.", f"Use one of: {', '.join(BREAKS)}.")
    await BREAKS[name](patient)


async def mend(patient: Patient) -> None:
    """Undo all faults; what was deleted is made again."""
    await broken_network.mend(patient)
    patient.behave(HEALTHY)
    await patient.restore()
