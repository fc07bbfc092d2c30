"""What a diagnosis stands on: the Services and what the control plane says about who announces them, as it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from l2probe.announcers.lease import gone
from l2probe.diagnose.edges import Edges, Name
from l2probe.diagnose.following import AWAIT_STEP_SECONDS, FOLLOW_SECONDS, STEP_SECONDS, worth_awaiting, worth_following
from l2probe.diagnose.place import NOWHERE, Place
from l2probe.diagnose.reading import CLAIM_RIGHTS
from l2probe.diagnose.subjects import Wish, key
from l2probe.diagnose.surroundings import History, sharers
from l2probe.errors import NotAllowedError
from l2probe.model import Claim, Cluster, Ip, Right, Service

Pause = Callable[[float], object]
"""Waits for so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the user asked for. `udp_payload` None: no datagram is sent."""

    wish: Wish
    http: bool = False
    udp_payload: bytes | None = None
    ping: bool = False
    pcap: Path | None = None


@dataclass(slots=True, kw_only=True)
class Ground:
    """What a diagnosis stands on; `claims` and `ingress` grow as they are read. `sharers`: others at the addresses."""

    cluster: Cluster
    services: tuple[Service, ...]
    place: Place
    sharers: tuple[Service, ...] = ()
    claims: dict[Name, list[Claim]] | None = field(default_factory=dict)
    ingress: History = field(default_factory=dict)

    @property
    def vips(self) -> tuple[Ip, ...]:
        """All addresses of all Services, each once."""
        return tuple(dict.fromkeys(vip for service in self.services for vip in service.vips))

    @property
    def backends(self) -> tuple[Ip, ...]:
        """The addresses of all their backends, each once."""
        found = (backend.address for service in self.services for backend in service.backends or ())
        return tuple(dict.fromkeys(found))

    @property
    def near(self) -> tuple[Ip, ...]:
        """Those that can be asked for from here."""
        return tuple(vip for vip in self.vips if vip in self.place.near)


def tread(cluster: Cluster, services: tuple[Service, ...], place: Place = NOWHERE) -> Ground:
    """Return the ground of these Services before anything was claimed about them."""
    ingress = {key(service): [service.vips] for service in services}
    return Ground(cluster=cluster, services=services, place=place, sharers=sharers(cluster, services), ingress=ingress)


def read_claims(ground: Ground, edges: Edges) -> None:
    """Add what is claimed now about the Services, and those at their addresses, to the history."""
    if ground.claims is None:
        return
    try:
        found = edges.api.claims([key(service) for service in (*ground.services, *ground.sharers)])
    except NotAllowedError:
        deny_claims(ground)
        return
    remember(ground, found, edges.now())


def remember(ground: Ground, found: Mapping[Name, tuple[Claim, ...]], now: float) -> None:
    """Add claims to the history at this Unix time; one that says nothing new adds nothing, one that went is gone."""
    if ground.claims is None:
        return
    for name, claims in found.items():
        history = ground.claims.setdefault(name, [])
        for claim in claims or _withdrawn(history, now):
            if not history or replace(history[-1], read_at=claim.read_at) != claim:
                history.append(claim)


def follow_claims(ground: Ground, read: Callable[[], None], now: Callable[[], float], pause: Pause) -> None:
    """Read the claims on while an announcer has only just changed, or until a lease that looks old is renewed."""
    until = now() + FOLLOW_SECONDS
    while now() < until and worth_following((ground.claims or {}).values()):
        pause(STEP_SECONDS)
        read()
    while worth_awaiting(ground.cluster, (ground.claims or {}).values(), now()):
        pause(AWAIT_STEP_SECONDS)
        read()


def deny_claims(ground: Ground) -> None:
    """Note that who announces may not be read: no claim is known any more."""
    ground.claims = None
    right = CLAIM_RIGHTS.get(ground.cluster.implementation or "")
    deny(ground, () if right is None else (right,))


def deny(ground: Ground, rights: Sequence[Right]) -> None:
    """Note the rights that were missing."""
    if rights:
        missing = dict.fromkeys((*ground.cluster.missing_rights, *rights))
        ground.cluster = replace(ground.cluster, missing_rights=tuple(missing))


def _withdrawn(history: Sequence[Claim], now: float) -> tuple[Claim, ...]:
    return (gone(history[-1], now),) if history and history[-1].holder is not None else ()


def claims_of(ground: Ground, service: Service) -> tuple[Claim, ...] | None:
    """Return what was claimed about a Service so far, oldest first; None when it was denied."""
    return None if ground.claims is None else tuple(ground.claims.get(key(service), ()))
