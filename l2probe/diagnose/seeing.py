"""Where a Service's backends stand, seen from the node that announces it. Pure; judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from l2probe.model import Backend, Claim, Exchange, Ip, NeighbourReply, NodeName, Placement, Service, TrafficPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of one Service; None: not looked."""

    replies: tuple[NeighbourReply, ...] | None
    exchanges: tuple[Exchange, ...] | None
    claims: tuple[Claim, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """The announcer, whether policy Local finds a ready backend there, and the backend when there is only one."""

    announcer: NodeName | None
    placement: Placement
    target: Backend | None


def placed(service: Service, seen: Seen) -> Spot:
    """Return the spot; where nobody listened the claim stands for the announcer."""
    ready = [backend for backend in service.backends or () if backend.ready]
    announcer = _announcer(service.vips, seen)
    return Spot(
        announcer=announcer,
        placement=_placement(service, ready, announcer),
        target=ready[0] if len(ready) == 1 else None,
    )


def _announcer(vips: Sequence[Ip], seen: Seen) -> NodeName | None:
    """Return who answered first for the first address that was answered for."""
    if seen.replies is None:
        return seen.claims[-1].holder if seen.claims else None
    order = {vip: number for number, vip in enumerate(vips)}
    by_vip = sorted(seen.replies, key=lambda reply: (order.get(reply.ip, len(order)), reply.at))
    return next((reply.node for reply in by_vip if reply.node is not None), None)


def _placement(service: Service, ready: Sequence[Backend], announcer: NodeName | None) -> Placement:
    if service.policy is not TrafficPolicy.LOCAL or announcer is None or not ready:
        return Placement.ANY
    if announcer in {backend.node for backend in ready}:
        return Placement.ON_ANNOUNCER
    # A backend that ends may serve there, or not any more: neither is promised.
    ending = announcer in {backend.node for backend in service.backends or () if backend.usable}
    return Placement.ANY if ending else Placement.OFF_ANNOUNCER
