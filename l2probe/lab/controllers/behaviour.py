"""How agents and datapath behave: truly, or broken in one of the ways that faults ask for. Data only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What the agents of all nodes do. The defaults are a healthy cluster.

    `answering`: the holder answers for its addresses. `duplicated`: a second node answers too. `foreign`: a host
    outside the cluster owns them too. `dropping`: the holder's NIC drops traffic to them. `alive`: agents renew
    leases. `dsr`: the datapath does what its mode says.
    """

    answering: bool = True
    duplicated: bool = False
    foreign: bool = False
    dropping: bool = False
    alive: bool = True
    dsr: bool = True


HEALTHY = Behaviour()
