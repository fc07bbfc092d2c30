"""The flow of `l2probe audit`: read every LoadBalancer Service, and on request look at all of them on the wire at once.

Read-only; hands Evidence on and never judges. Without the wire it needs no privilege, and what it hands on is a claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from l2probe.announcers.lease import gone
from l2probe.audit.edges import Edges
from l2probe.audit.looking import Looked, look
from l2probe.diagnose.edges import Name
from l2probe.diagnose.place import Place, stand
from l2probe.diagnose.reading import CLAIM_RIGHTS
from l2probe.diagnose.seeing import Seen, placed
from l2probe.diagnose.subjects import key
from l2probe.errors import NotAllowedError, UsageError
from l2probe.judge.selection import matches
from l2probe.model import (
    Claim,
    Cluster,
    Evidence,
    Exchange,
    Flow,
    Ip,
    NeighbourReply,
    Protocol,
    Requirement,
    Service,
    Trial,
    Vantage,
)

COMMAND = "audit"
Claims = Mapping[Name, tuple[Claim, ...]]
Replies = Mapping[Ip, list[NeighbourReply]]
Exchanges = Mapping[tuple[Ip, Protocol, int], list[Exchange]]
NOWHERE = Place(vantage=Vantage(interface=None), near=frozenset(), obstacles={}, unroutable=frozenset())
UNSEEN = Looked()
"""Where we stand, and what we see there, when nobody asked for the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the user asked for. `namespace` None: all; `selector` (): every Service; `on_wire`: prove it there."""

    namespace: str | None = None
    selector: tuple[Requirement, ...] = ()
    on_wire: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """All that an audit saw. `claims` None: denied; times are Unix seconds."""

    cluster: Cluster
    services: tuple[Service, ...]
    claims: Claims | None
    started: float
    ended: float
    place: Place = NOWHERE
    looked: Looked = UNSEEN


def audit(plan: Plan, edges: Edges) -> Evidence:
    """Observe every LoadBalancer Service that the plan means; raises UsageError, ClusterError or WireError."""
    edges.say("Reading the cluster.")
    started = edges.now()
    cluster = edges.api.survey()
    services = chosen(plan, cluster)
    cluster, claims = _claimed(cluster, edges)
    services = _with_warnings(services, edges)
    scene = Scene(cluster=cluster, services=services, claims=claims, started=started, ended=edges.now())
    return _evidence(_on_wire(scene, edges) if plan.on_wire else scene)


def _on_wire(scene: Scene, edges: Edges) -> Scene:
    """Look at all on the wire, then read the claims again: what changed meanwhile accuses nobody."""
    vips = tuple(dict.fromkeys(vip for service in scene.services for vip in service.vips))
    place = stand(edges.vantage, vips, scene.cluster.nodes or ())
    started = edges.now()
    if place.vantage.cluster_node is not None:
        # A node rewrites connections to a VIP before they reach the wire: nothing seen here would be proof.
        return replace(scene, place=place, started=started, ended=edges.now())
    looked = look(scene.services, scene.cluster, place, edges)
    cluster, later = _claimed(scene.cluster, edges)
    return replace(
        scene,
        cluster=cluster,
        place=place,
        looked=looked,
        claims=_joined(scene.claims, later, edges.now()),
        started=started,
        ended=edges.now(),
    )


def chosen(plan: Plan, cluster: Cluster) -> tuple[Service, ...]:
    """Return the Services in the namespace that the selector matches; raises UsageError when there is none."""
    if cluster.services is None:
        raise NotAllowedError(
            "The API server does not let this user list services in all namespaces.",
            "Ask for this right (`l2probe rbac --for audit`), or look at one Service: l2probe diagnose NAMESPACE/NAME.",
        )
    found = tuple(
        service
        for service in cluster.services
        if plan.namespace in {None, service.namespace} and all(matches(t, dict(service.labels)) for t in plan.selector)
    )
    if not found:
        where = f" in namespace {plan.namespace}" if plan.namespace else ""
        which = " that the selector matches" if plan.selector else ""
        total = len(cluster.services)
        raise UsageError(
            f"The cluster has no Service of type LoadBalancer{where}{which}.",
            f"It has {total} of them in all." if total else "",
        )
    return found


def _claimed(cluster: Cluster, edges: Edges) -> tuple[Cluster, Claims | None]:
    """Return who announces each Service by the control plane's word; None and a missing right where it was denied."""
    try:
        found, strays = edges.api.announced([key(service) for service in cluster.services or ()])
    except NotAllowedError:
        right = CLAIM_RIGHTS.get(cluster.implementation or "")
        missing = dict.fromkeys((*cluster.missing_rights, *([right] if right else ())))
        return replace(cluster, missing_rights=tuple(missing)), None
    return replace(cluster, stray_claims=strays), found


def _with_warnings(services: tuple[Service, ...], edges: Edges) -> tuple[Service, ...]:
    """Add to each Service without address and without condition the newest warning about it: MetalLB sets none."""
    silent = {key(service) for service in services if not service.vips and not service.conditions}
    warnings = edges.api.warnings() if silent else {}
    return tuple(
        replace(service, conditions=(warnings[key(service)],))
        if key(service) in silent and key(service) in warnings
        else service
        for service in services
    )


def _joined(before: Claims | None, after: Claims | None, now: float) -> Claims | None:
    """Return the history of claims; one that says nothing new adds nothing, one that went away is said to be gone."""
    if before is None or after is None:
        return None
    return {name: (*before.get(name, ()), *_news(before.get(name, ()), claims, now)) for name, claims in after.items()}


def _news(before: Sequence[Claim], after: Sequence[Claim], now: float) -> tuple[Claim, ...]:
    if not after:
        return (gone(before[-1], now),) if before and before[-1].holder is not None else ()
    return tuple(claim for claim in after if not before or replace(before[-1], read_at=claim.read_at) != claim)


def _evidence(scene: Scene) -> Evidence:
    looked = scene.looked
    replies, exchanges = _by_address(looked.replies or ()), _by_end(looked.exchanges or ())
    return Evidence(
        cluster=scene.cluster,
        vantage=scene.place.vantage,
        node_replies=looked.node_replies,
        pool_replies=looked.pool_replies,
        trials=tuple(_trial(service, scene, _seen(service, scene, replies, exchanges)) for service in scene.services),
        flows=() if looked.exchanges is None else _flows(scene.services),
        command=COMMAND,
    )


def _seen(service: Service, scene: Scene, replies: Replies, exchanges: Exchanges) -> Seen:
    """Return this Service's part of all that was seen."""
    near = [vip for vip in service.vips if vip in scene.place.near]
    ends = dict.fromkeys((vip, port.protocol, port.port) for vip in service.vips for port in service.ports)
    unheard, untried = scene.looked.replies is None or not near, scene.looked.exchanges is None
    return Seen(
        replies=None if unheard else tuple(reply for vip in near for reply in replies.get(vip, ())),
        exchanges=None if untried else tuple(one for end in ends for one in exchanges.get(end, ())),
        claims=None if scene.claims is None else scene.claims.get(key(service), ()),
    )


def _trial(service: Service, scene: Scene, seen: Seen) -> Trial:
    spot, obstacles = placed(service, seen), scene.place.obstacles
    return Trial(
        name=service.name,
        service=service,
        placement=spot.placement,
        target=spot.target,
        announcer=spot.announcer,
        claims=seen.claims,
        replies=seen.replies,
        exchanges=seen.exchanges,
        started=scene.started,
        observed_seconds=round(scene.ended - scene.started, 3),
        obstacle=" ".join(obstacles[vip] for vip in service.vips if vip in obstacles) or None,
        own=False,
    )


def _by_address(replies: Sequence[NeighbourReply]) -> Replies:
    found: dict[Ip, list[NeighbourReply]] = {}
    for reply in replies:
        found.setdefault(reply.ip, []).append(reply)
    return found


def _by_end(exchanges: Sequence[Exchange]) -> Exchanges:
    found: dict[tuple[Ip, Protocol, int], list[Exchange]] = {}
    for one in exchanges:
        found.setdefault((one.vip, one.protocol, one.port), []).append(one)
    return found


def _flows(services: Sequence[Service]) -> tuple[Flow, ...]:
    """Return the flow kinds that are tried: TCP, over the families of the addresses."""
    kinds = {
        Flow.TCP6 if ":" in vip else Flow.TCP4
        for service in services
        if any(port.protocol is Protocol.TCP for port in service.ports)
        for vip in service.vips
    }
    return tuple(flow for flow in Flow if flow in kinds)
