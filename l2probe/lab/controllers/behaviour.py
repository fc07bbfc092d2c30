"""How agents and datapath behave: truly, or broken in one of the ways that faults ask for. Data only."""

from __future__ import annotations

from dataclasses import dataclass

from l2probe.lab.driver import NoBackend
from l2probe.lab.profiles import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What the agents of all nodes do. The defaults are a healthy cluster.

    `answering`: the holder answers for its addresses. `duplicated`: a second node answers too. `displaced`: another
    node answers instead. `foreign`: a host outside the cluster owns them too. `dropping`: the holder's NIC drops
    traffic to them. `alive`: agents renew leases. `ghost`: who is written into the leases that the dead leave, instead
    of themselves. `announcing`: the feature is on. `dsr`: the datapath does what its mode says. `mode`: another than
    the profile's. `no_backend`: what is done without a backend, another than the profile's. `masquerade`: local
    backends too see the node's address. `broadcast`, `multicast`: who-has and neighbour solicitations that everybody
    hears are answered, as those to one machine always are. `stale`: addresses were left on a second node's NIC.
    `everyone`: every node has every Service's addresses on a NIC, and its kernel answers. `gratuitous`: a new holder
    announces itself unasked. `restless`: holders let go of their leases again and again. `prompt`: a free lease is
    taken at once. `reversing`: answers of a backend that got its question from another node are translated back.
    """

    answering: bool = True
    duplicated: bool = False
    displaced: bool = False
    foreign: bool = False
    dropping: bool = False
    alive: bool = True
    ghost: str = ""
    announcing: bool = True
    dsr: bool = True
    mode: Mode | None = None
    no_backend: NoBackend | None = None
    masquerade: bool = False
    broadcast: bool = True
    multicast: bool = True
    stale: bool = False
    everyone: bool = False
    gratuitous: bool = True
    restless: bool = False
    prompt: bool = True
    reversing: bool = True


HEALTHY = Behaviour()
