"""How the lab can be broken: a table for each family of findings, one frozen row for each fault.

Standard library only; `controllers.breakage` applies them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from l2probe.errors import UsageError
from l2probe.lab.faults.addresses import ADDRESSES
from l2probe.lab.faults.announcing import ANNOUNCING
from l2probe.lab.faults.clients import CLIENTS
from l2probe.lab.faults.fault import Fault
from l2probe.lab.faults.owners import OWNERS
from l2probe.lab.faults.places import PLACES
from l2probe.lab.faults.takeovers import TAKEOVERS
from l2probe.lab.faults.traffic import TRAFFIC
from l2probe.lab.profiles import DEFAULT, PROFILES

__all__ = ["FAULTS", "Fault", "check_world", "profile_of"]

_TABLES = (ADDRESSES, ANNOUNCING, OWNERS, TRAFFIC, CLIENTS, TAKEOVERS, PLACES)
FAULTS: Mapping[str, Fault] = MappingProxyType({fault.name: fault for table in _TABLES for fault in table})
"""Every fault by its name."""


def check_world(profile: str, faults: Iterable[str]) -> None:
    """Raise UsageError for the first fault that the profile's cluster has nothing for."""
    plays = PROFILES[profile].implementation
    for name in faults:
        worlds = FAULTS[name].worlds if name in FAULTS else ()
        if worlds and plays not in worlds:
            fitting = (other.name for other in PROFILES.values() if other.implementation in worlds)
            raise UsageError(
                f"A lab that plays {profile} cannot be broken by {name}: {FAULTS[name].about}.",
                f"Choose a profile of {' or '.join(worlds)}: {', '.join(fitting)}.",
            )


def profile_of(faults: Iterable[str]) -> str:
    """Return the profile that the first fault with a wish needs; the default one without."""
    wishes = (FAULTS[name].profile for name in faults if name in FAULTS)
    return next((wish for wish in wishes if wish is not None), DEFAULT)
