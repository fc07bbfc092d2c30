"""The flow of `l2probe diagnose`: read what bears on existing Services, ask the wire, knock at their ports.

Read-only; hands Evidence on and never judges. All waits are bounded and side by side: a dead address costs what its
slowest knock costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from l2probe.diagnose.edges import Edges
from l2probe.diagnose.ground import Ground, Plan, claims_of, read_claims
from l2probe.diagnose.observing import Observed, observe, rounds
from l2probe.diagnose.place import stand
from l2probe.diagnose.seeing import Seen, placed
from l2probe.diagnose.subjects import key, resolve
from l2probe.diagnose.surroundings import sharers
from l2probe.model import Evidence, Exchange, Flow, Ip, NeighbourReply, Protocol, Service, Sharer, Trial

__all__ = ["Ground", "Plan", "diagnose", "rounds"]


def diagnose(plan: Plan, edges: Edges) -> Evidence:
    """Observe the Services that the plan means; raises UsageError, ClusterError or WireError when it could not."""
    edges.say("Reading the cluster.")
    cluster = edges.api.survey()
    services = resolve(plan.wish, cluster, edges.api)
    vips = tuple(dict.fromkeys(vip for service in services for vip in service.vips))
    place = stand(edges.vantage, vips, cluster.nodes or ())
    ground = Ground(
        cluster=cluster,
        services=services,
        place=place,
        sharers=sharers(cluster, services),
        ingress={key(service): [service.vips] for service in services},
    )
    started = edges.now()
    read_claims(ground, edges)
    if place.vantage.cluster_node is not None:
        # A node rewrites connections to a VIP before they reach the wire: nothing seen here would be proof.
        return _evidence(plan, ground, Observed(started=started, ended=edges.now()))
    return _evidence(plan, ground, observe(plan, ground, edges, started))


def _evidence(plan: Plan, ground: Ground, observed: Observed) -> Evidence:
    trials = tuple(_trial(service, ground, observed) for service in ground.services)
    return Evidence(
        cluster=ground.cluster,
        vantage=ground.place.vantage,
        node_replies=observed.node_replies,
        trials=trials,
        flows=_flows(plan, ground.services),
        command="diagnose",
        sharers=tuple(Sharer(service=one, claims=claims_of(ground, one)) for one in ground.sharers),
        off_link=observed.off_link,
        pool_replies=observed.pool_replies,
        pings=observed.pings,
    )


def _trial(service: Service, ground: Ground, observed: Observed) -> Trial:
    """Return all that was seen of one Service."""
    near = [vip for vip in service.vips if vip in ground.place.near]
    claims = claims_of(ground, service)
    seen = Seen(
        replies=None if observed.replies is None or not near else _about(near, observed.replies),
        exchanges=None if observed.exchanges is None else _to(service, observed.exchanges),
        claims=claims,
    )
    spot = placed(service, seen)
    return Trial(
        name=service.name,
        service=replace(service, network_policies=observed.guards.get(service.namespace)),
        placement=spot.placement,
        target=spot.target,
        announcer=spot.announcer,
        claims=claims,
        replies=seen.replies,
        exchanges=seen.exchanges,
        started=observed.started,
        observed_seconds=round(observed.ended - observed.started, 3),
        obstacle=" ".join(ground.place.obstacles[vip] for vip in service.vips if vip in ground.place.obstacles) or None,
        own=False,
        ingress=_changes(ground.ingress[key(service)]),
    )


def _changes(history: Sequence[tuple[Ip, ...]]) -> tuple[tuple[Ip, ...], ...]:
    """Return the addresses as they changed; () when they did not."""
    return tuple(history) if len(history) > 1 else ()


def _about(vips: Sequence[Ip], replies: Iterable[NeighbourReply]) -> tuple[NeighbourReply, ...]:
    return tuple(reply for reply in replies if reply.ip in vips)


def _to(service: Service, exchanges: Iterable[Exchange]) -> tuple[Exchange, ...]:
    """Return the exchanges with this Service: two Services may share an address, never a port of it."""
    ports = {(port.protocol, port.port) for port in service.ports}
    return tuple(one for one in exchanges if one.vip in service.vips and (one.protocol, one.port) in ports)


def _flows(plan: Plan, services: Iterable[Service]) -> tuple[Flow, ...]:
    """Return the flow kinds that are tried."""
    asked: Mapping[Protocol, bool] = {Protocol.TCP: True, Protocol.UDP: plan.udp_payload is not None}
    kinds = {
        Flow(f"{port.protocol.lower()}{6 if ':' in vip else 4}")
        for service in services
        for port in service.ports
        for vip in service.vips
        if asked[port.protocol]
    }
    return tuple(flow for flow in Flow if flow in kinds)
