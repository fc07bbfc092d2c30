"""Which cluster the lab plays: one frozen row for each profile. Standard library only; knows no API object.

Versions, modes and what each version does follow research/cilium.md (Helm charts and sources of Cilium 1.17 to 1.20).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from l2probe.lab.driver import Forwarding, NoBackend


class Mode(StrEnum):
    """Cilium `bpf-lb-mode`."""

    SNAT = "snat"
    DSR = "dsr"
    HYBRID = "hybrid"


_FORWARDING = {
    (Mode.SNAT, "TCP"): Forwarding.SNAT,
    (Mode.SNAT, "UDP"): Forwarding.SNAT,
    (Mode.DSR, "TCP"): Forwarding.DSR,
    (Mode.DSR, "UDP"): Forwarding.DSR,
    (Mode.HYBRID, "TCP"): Forwarding.DSR,
    (Mode.HYBRID, "UDP"): Forwarding.SNAT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A cluster to play.

    `follows_local`: with externalTrafficPolicy Local the lease goes only to nodes with a backend (1.20.2 and later).
    `families`: IP versions that the cluster has and announces. `pool_versions`: API versions of the address pool, the
    first is the stored one. `seed` decides which node wins a free lease.
    """

    name: str
    about: str
    version: str
    mode: Mode
    no_backend: NoBackend = NoBackend.REJECT
    follows_local: bool = False
    families: tuple[int, ...] = (4, 6)
    pool_versions: tuple[str, ...] = ("v2", "v2alpha1")
    seed: str = "l2probe"

    def forwarding(self, protocol: str) -> Forwarding:
        """Return how "TCP" or "UDP" reaches a backend on another node."""
        return _FORWARDING.get((self.mode, protocol), Forwarding.SNAT)


DEFAULT = "cilium-1.19-dsr"

_ROWS = (
    Profile(
        name="cilium-1.19-dsr",
        about="Cilium 1.19.4, DSR for TCP and UDP; the lease ignores policy Local",
        version="1.19.4",
        mode=Mode.DSR,
    ),
    Profile(
        name="cilium-1.19-snat",
        about="Cilium 1.19.4, SNAT for TCP and UDP; the lease ignores policy Local",
        version="1.19.4",
        mode=Mode.SNAT,
    ),
    Profile(
        name="cilium-1.19-hybrid",
        about="Cilium 1.19.4, DSR for TCP, SNAT for UDP; the lease ignores policy Local",
        version="1.19.4",
        mode=Mode.HYBRID,
    ),
    Profile(
        name="cilium-1.20.2-dsr",
        about="Cilium 1.20.2, DSR; the lease follows the backends of policy Local",
        version="1.20.2",
        mode=Mode.DSR,
        follows_local=True,
    ),
    Profile(
        name="cilium-1.20.2-snat",
        about="Cilium 1.20.2, SNAT; the lease follows the backends of policy Local",
        version="1.20.2",
        mode=Mode.SNAT,
        follows_local=True,
    ),
    Profile(
        name="cilium-1.17-dsr",
        about="Cilium 1.17.9, DSR, IPv4 only; the lease ignores policy Local",
        version="1.17.9",
        mode=Mode.DSR,
        families=(4,),
        pool_versions=("v2alpha1",),
    ),
)


def _dropping(profile: Profile) -> Profile:
    about = f"{profile.about}; service-no-backend-response is drop"
    return replace(profile, name=f"{profile.name}+drop", about=about, no_backend=NoBackend.DROP)


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {profile.name: profile for row in _ROWS for profile in (row, _dropping(row))},
)
"""Every profile by its name; `NAME+drop` drops where NAME rejects."""
