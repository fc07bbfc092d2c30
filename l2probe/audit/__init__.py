"""The flow of `l2probe audit`: read every LoadBalancer Service, and on request look at all of them on the wire at once.

Read-only; hands Evidence on and never judges. Without the wire it needs no privilege, and what it hands on is a claim.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from l2probe.audit.edges import Edges
from l2probe.diagnose.evidence import evidence, flows
from l2probe.diagnose.following import MANY, STEP_SECONDS
from l2probe.diagnose.ground import Ground, deny_claims, follow_claims, remember, tread
from l2probe.diagnose.observed import Observed
from l2probe.diagnose.place import NOWHERE, Place, stand
from l2probe.diagnose.subjects import key
from l2probe.diagnose.surroundings import follow, note
from l2probe.errors import NotAllowedError, UsageError, WireError
from l2probe.judge.selection import matches
from l2probe.model import Cluster, Evidence, Protocol, Requirement, Service

COMMAND = "audit"
GLANCES = 5
"""How often the claims of few Services are read while the wire is asked: what two answered for may have moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the user asked for. `namespace` None: all; `selector` (): every Service; `on_wire`: prove it there."""

    namespace: str | None = None
    selector: tuple[Requirement, ...] = ()
    on_wire: bool = False


def audit(plan: Plan, edges: Edges) -> Evidence:
    """Observe every LoadBalancer Service that the plan means; raises UsageError, ClusterError or WireError."""
    edges.say("Reading the cluster.")
    started = edges.now()
    cluster = edges.api.survey(plan.namespace or "")
    ground = tread(cluster, _with_warnings(chosen(plan, cluster), edges))
    if cluster.within:
        # A part of the Services is not "all of them": no rule may take the rest for absent.
        ground.cluster = replace(cluster, services=None)
    _read_claims(ground, edges)
    if plan.on_wire:
        return _on_wire(ground, edges)
    ground.place = _beside(ground, edges)
    return evidence(ground, Observed(started=started, ended=edges.now()), flows=(), command=COMMAND)


def _beside(ground: Ground, edges: Edges) -> Place:
    """Return what is known of the nodes' segment where this host is on it: whom pools must leave out. Asks nobody."""
    try:
        seen = edges.vantage((), ground.cluster.nodes or ())
    except WireError:
        return NOWHERE  # it only adds to what the API tells
    if not seen.on_link:
        return NOWHERE
    return replace(NOWHERE, vantage=replace(NOWHERE.vantage, addresses=seen.addresses, routers=seen.routers))


def _on_wire(ground: Ground, edges: Edges) -> Evidence:
    """Look at all on the wire, and read meanwhile what may change: what did so accuses nobody."""
    from l2probe.audit.looking import look  # noqa: PLC0415 - sockets and loops, which the API alone does not need

    ground.place = stand(edges.vantage, ground.vips, ground.cluster.nodes or ())
    started = edges.now()
    if ground.place.vantage.cluster_node is not None:
        # A node rewrites connections to a VIP before they reach the wire: nothing seen here would be proof.
        return evidence(ground, Observed(started=started, ended=edges.now()), flows=(), command=COMMAND)
    read = partial(_read_claims, ground, edges)
    with ThreadPoolExecutor(2, thread_name_prefix="beside") as pool:
        claims = pool.submit(_glance, ground, edges)
        followed = pool.submit(follow, ground.ingress, edges.api, edges.pause)
        looked = look(ground, edges)
        claims.result()
        followed.result()
    read()
    follow_claims(ground, read, edges.now, edges.pause)
    note(ground.ingress, edges.api)
    observed = replace(looked, started=started, ended=edges.now())
    return evidence(ground, observed, flows=flows(ground.services, frozenset({Protocol.TCP})), command=COMMAND)


def _glance(ground: Ground, edges: Edges) -> None:
    """Read the claims of few Services several times, side by side with the wire."""
    for _ in range(GLANCES if len(ground.services) <= MANY else 0):
        edges.pause(STEP_SECONDS)
        _read_claims(ground, edges)


def chosen(plan: Plan, cluster: Cluster) -> tuple[Service, ...]:
    """Return the Services in the namespace that the selector matches; raises UsageError when there is none."""
    if cluster.services is None:
        raise _not_allowed(plan)
    found = tuple(
        service
        for service in cluster.services
        if plan.namespace in {None, service.namespace} and all(matches(t, dict(service.labels)) for t in plan.selector)
    )
    if not found:
        where = f" in namespace {plan.namespace}" if plan.namespace else ""
        which = " that the selector matches" if plan.selector else ""
        total, those = len(cluster.services), "It" if not cluster.within else f"Namespace {cluster.within}"
        raise UsageError(
            f"The cluster has no Service of type LoadBalancer{where}{which}.",
            f"{those} has {total} of them in all." if total else "",
        )
    return found


def _not_allowed(plan: Plan) -> NotAllowedError:
    """Return that not even the Services that the plan means may be listed."""
    here = plan.namespace
    which, flags = (f"in namespace {here}", f" --namespace {here}") if here else ("in all namespaces", "")
    return NotAllowedError(
        f"The API server does not let this user list services {which}.",
        f"Ask for this right (`l2probe rbac --for audit{flags}`), or look at "
        f"{'' if here else 'one namespace (-n), or at '}one Service: l2probe diagnose NAMESPACE/NAME.",
    )


def _read_claims(ground: Ground, edges: Edges) -> None:
    """Add who announces each Service by the control plane's word, and whose claims are about none."""
    if ground.claims is None:
        return
    every = ground.cluster.services
    try:
        found, strays = edges.api.announced([key(one) for one in every or (*ground.services, *ground.sharers)])
    except NotAllowedError:
        deny_claims(ground)
        return
    ground.cluster = replace(ground.cluster, stray_claims=None if every is None else strays)
    remember(ground, found, edges.now())


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
