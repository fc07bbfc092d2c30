"""Faults in the API: objects that are missing or say the wrong thing. One small function for each, in one table."""

from __future__ import annotations

from collections.abc import Mapping

from l2probe.lab.controllers.patient import Break, Patient


async def _no_policy(patient: Patient) -> None:
    await patient.take(patient.plane.policies)


async def _no_pool(patient: Patient) -> None:
    await patient.take(patient.plane.pools)


OBJECTS: Mapping[str, Break] = {
    "no-policy": _no_policy,
    "no-pool": _no_pool,
}
"""How each fault of objects is applied; `Patient.restore` mends them all."""
