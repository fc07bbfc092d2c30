"""All that was read and seen, as the Evidence of one command: a trial for each Service. Pure; judges nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from l2probe.diagnose.ground import Ground, claims_of
from l2probe.diagnose.observed import Observed
from l2probe.diagnose.seeing import Seen, placed
from l2probe.diagnose.subjects import key
from l2probe.model import Evidence, Exchange, Flow, Ip, NeighbourReply, Protocol, Service, Sharer, Trial

K = TypeVar("K")
T = TypeVar("T", NeighbourReply, Exchange)
End = tuple[Ip, Protocol, int]
"""Address, protocol and port: two Services may share an address, never a port of it."""

Replies = Mapping[Ip, list[NeighbourReply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What was seen, by what it is about; None: not looked."""

    replies: Replies | None
    exchanges: Mapping[End, list[Exchange]] | None


def evidence(ground: Ground, observed: Observed, *, flows: tuple[Flow, ...], command: str) -> Evidence:
    """Return the Evidence of this command, which tried these flow kinds."""
    index = Index(
        replies=None if observed.replies is None else _by_address(observed.replies),
        exchanges=None if observed.exchanges is None else _by_end(observed.exchanges),
    )
    return Evidence(
        cluster=ground.cluster,
        vantage=ground.place.vantage,
        node_replies=observed.node_replies,
        trials=tuple(_trial(service, ground, observed, index) for service in ground.services),
        flows=flows,
        command=command,
        sharers=tuple(Sharer(service=one, claims=claims_of(ground, one)) for one in ground.sharers),
        off_link=observed.off_link,
        pool_replies=observed.pool_replies,
        pings=observed.pings,
        partly_asked=observed.partly_asked,
    )


def _trial(service: Service, ground: Ground, observed: Observed, index: Index) -> Trial:
    """Return all that was seen of one Service."""
    seen, guards = _seen(service, ground, index), observed.guards
    spot = placed(service, seen)
    return Trial(
        name=service.name,
        service=replace(service, network_policies=guards.get(service.namespace)) if guards else service,
        placement=spot.placement,
        target=spot.target,
        announcer=spot.announcer,
        claims=seen.claims,
        replies=seen.replies,
        exchanges=seen.exchanges,
        started=observed.started,
        observed_seconds=round(observed.ended - observed.started, 3),
        obstacle=_obstacle(service, ground.place.obstacles),
        own=False,
        ingress=_changes(ground.ingress.get(key(service), ())),
    )


def _obstacle(service: Service, obstacles: Mapping[Ip, str]) -> str | None:
    """Return why addresses of this Service could not be looked at; None where nothing stood in the way."""
    return " ".join(obstacles[vip] for vip in service.vips if vip in obstacles) or None if obstacles else None


def _seen(service: Service, ground: Ground, index: Index) -> Seen:
    """Return this Service's part of all that was seen; what cannot be asked for from here was not looked at."""
    return Seen(
        replies=None if index.replies is None else _heard(service, ground, index.replies),
        exchanges=None if index.exchanges is None else _in_time(index.exchanges, _ends(service)),
        claims=claims_of(ground, service),
    )


def _heard(service: Service, ground: Ground, replies: Replies) -> tuple[NeighbourReply, ...] | None:
    near = [vip for vip in service.vips if vip in ground.place.near]
    return _in_time(replies, near) if near else None


def _ends(service: Service) -> Iterable[End]:
    return dict.fromkeys((vip, port.protocol, port.port) for vip in service.vips for port in service.ports)


def _in_time(found: Mapping[K, list[T]], wanted: Iterable[K]) -> tuple[T, ...]:
    return tuple(sorted((one for each in wanted for one in found.get(each, ())), key=lambda one: one.at))


def _changes(history: Sequence[tuple[Ip, ...]]) -> tuple[tuple[Ip, ...], ...]:
    """Return the addresses as they changed; () when they did not."""
    return tuple(history) if len(history) > 1 else ()


def _by_address(replies: Iterable[NeighbourReply]) -> Replies:
    found: dict[Ip, list[NeighbourReply]] = {}
    for reply in replies:
        found.setdefault(reply.ip, []).append(reply)
    return found


def _by_end(exchanges: Iterable[Exchange]) -> Mapping[End, list[Exchange]]:
    found: dict[End, list[Exchange]] = {}
    for one in exchanges:
        found.setdefault((one.vip, one.protocol, one.port), []).append(one)
    return found


def flows(services: Iterable[Service], protocols: frozenset[Protocol]) -> tuple[Flow, ...]:
    """Return the flow kinds that are tried when these protocols are."""
    kinds = {
        Flow(f"{port.protocol.lower()}{6 if ':' in vip else 4}")
        for service in services
        for port in service.ports
        if port.protocol in protocols
        for vip in service.vips
    }
    return tuple(flow for flow in Flow if flow in kinds)
