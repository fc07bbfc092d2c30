"""Which cluster the lab plays: one frozen row for each profile. Standard library only; knows no API object.

Versions, modes and what each version does follow research/cilium.md (Helm charts and sources of Cilium 1.17 to 1.20;
sources of MetalLB 0.15 and kube-vip 1.0).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from l2probe.lab.driver import Forwarding, NoBackend


class Implementation(StrEnum):
    """Who gives addresses and announces them. Beside MetalLB and kube-vip, kube-proxy serves the Services."""

    CILIUM = "cilium"
    METALLB = "metallb"
    KUBE_VIP = "kube-vip"


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
class Timers:
    """The election's durations in seconds; the defaults are Cilium's.

    l2-announcements-lease-duration, -renew-deadline and -retry-period of cilium-config.
    """

    lease: int = 15
    renew: float = 5.0
    retry: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A cluster to play.

    `mode` and `pool_versions` (API versions of the address pool, the first is the stored one) are Cilium's.
    `follows_local`: with externalTrafficPolicy Local only nodes with a backend announce (Cilium 1.20.2 and later).
    `families`: IP versions that the cluster has and announces. `one_lease`: one for all Services (kube-vip without
    svc_election). `seed` decides which node wins a free lease. `timers`: how its elections are set.
    """

    name: str
    about: str
    version: str
    implementation: Implementation = Implementation.CILIUM
    mode: Mode = Mode.SNAT
    one_lease: bool = False
    no_backend: NoBackend = NoBackend.REJECT
    follows_local: bool = False
    families: tuple[int, ...] = (4, 6)
    pool_versions: tuple[str, ...] = ("v2", "v2alpha1")
    seed: str = "l2probe"
    timers: Timers = Timers()

    def forwarding(self, protocol: str) -> Forwarding:
        """Return how "TCP" or "UDP" reaches its backends."""
        if self.implementation is not Implementation.CILIUM:
            return Forwarding.MASQUERADE
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
_BESIDE_KUBE_PROXY = (
    Profile(
        name="metallb-0.15",
        about="MetalLB 0.15.2 in layer 2 mode, kube-proxy; the announcer follows the backends of policy Local",
        version="0.15.2",
        implementation=Implementation.METALLB,
        follows_local=True,
    ),
    Profile(
        name="kube-vip-1.0",
        about="kube-vip 1.0.3, one lease for each Service, kube-proxy; the lease follows the backends of policy Local",
        version="1.0.3",
        implementation=Implementation.KUBE_VIP,
        follows_local=True,
    ),
    Profile(
        name="kube-vip-1.0+global",
        about="kube-vip 1.0.3, one lease for all Services, kube-proxy; the lease ignores policy Local",
        version="1.0.3",
        implementation=Implementation.KUBE_VIP,
        one_lease=True,
    ),
)


_QUICK = replace(
    _ROWS[3],
    name=f"{_ROWS[3].name}+quick",
    about=f"{_ROWS[3].about}; leases last 3 s, the renew deadline is 1 s",
    timers=Timers(lease=3, renew=1.0, retry=0.5),
)


def _dropping(profile: Profile) -> Profile:
    about = f"{profile.about}; service-no-backend-response is drop"
    return replace(profile, name=f"{profile.name}+drop", about=about, no_backend=NoBackend.DROP)


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {profile.name: profile for row in _ROWS for profile in (row, _dropping(row))}
    | {row.name: row for row in (_QUICK, *_BESIDE_KUBE_PROXY)},
)
"""Every profile by its name; of Cilium's, `NAME+drop` drops where NAME rejects, `NAME+quick` elects quickly."""
