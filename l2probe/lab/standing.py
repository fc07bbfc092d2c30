"""Faults of the place from which one looks, not of the cluster: which machine, and with which rights. Pure data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from l2probe.lab.topology import CLIENT, NODES, REMOTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where commands run in the lab. `raw`: with CAP_NET_RAW. `denied`: what their user may not do (`lab.rights`)."""

    machine: str = CLIENT.name
    raw: bool = True
    denied: tuple[str, ...] = ()


USUAL = Standing()
STANDINGS: Mapping[str, Standing] = MappingProxyType(
    {
        "on-a-cluster-node": Standing(machine=NODES[0].name),
        "behind-a-router": Standing(machine=REMOTE.name),
        "no-raw-socket": Standing(raw=False),
        "not-allowed": Standing(denied=("denied:list:leases", "denied:watch:leases")),
    }
)
"""What each fault of `lab.faults` that breaks nothing in the cluster makes of the place."""


def standing(faults: Iterable[str]) -> Standing:
    """Return the place that all these faults together make; those of the cluster change nothing of it."""
    found = USUAL
    for one in (STANDINGS[name] for name in faults if name in STANDINGS):
        machine = found.machine if one.machine == USUAL.machine else one.machine
        found = replace(found, machine=machine, raw=found.raw and one.raw, denied=(*found.denied, *one.denied))
    return found
