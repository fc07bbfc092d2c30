"""Faults of the agents and of the datapath that they program: what every node does from now on. One table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypedDict, Unpack

from l2probe.lab.controllers.patient import Break, Patient


class _Change(TypedDict, total=False):
    answering: bool
    duplicated: bool
    foreign: bool
    dropping: bool
    alive: bool
    dsr: bool


def _behaving(**change: Unpack[_Change]) -> Break:
    async def apply(patient: Patient) -> None:
        patient.behave(replace(patient.behaviour, **change))

    return apply


AGENTS: Mapping[str, Break] = {
    "silent-leader": _behaving(answering=False),
    "duplicate-announcers": _behaving(duplicated=True),
    "foreign-owner": _behaving(foreign=True),
    "stale-lease": _behaving(alive=False),
    "announcer-drops": _behaving(dropping=True),
    "dsr-not-effective": _behaving(dsr=False),
}
"""How each fault of behaviour is applied; `Patient.behave` with the healthy one mends them all."""
