"""The flow of `l2probe diagnose`: read what bears on existing Services, ask the wire, knock at their ports.

Read-only; hands Evidence on and never judges. All waits are bounded and side by side: a dead address costs what its
slowest knock costs.
"""

from __future__ import annotations

from l2probe.diagnose.edges import Edges
from l2probe.diagnose.evidence import evidence, flows
from l2probe.diagnose.ground import Ground, Plan, read_claims, tread
from l2probe.diagnose.observed import Observed
from l2probe.diagnose.place import stand
from l2probe.diagnose.subjects import resolve
from l2probe.model import Evidence, Protocol

__all__ = ["Ground", "Plan", "diagnose"]


def diagnose(plan: Plan, edges: Edges) -> Evidence:
    """Observe the Services that the plan means; raises UsageError, ClusterError or WireError when it could not."""
    from l2probe.diagnose.observing import observe  # noqa: PLC0415 - sockets and loops, which an audit may do without

    edges.say("Reading the cluster.")
    cluster = edges.api.survey()
    services = resolve(plan.wish, cluster, edges.api)
    vips = tuple(dict.fromkeys(vip for service in services for vip in service.vips))
    place = stand(edges.vantage, vips, cluster.nodes or ())
    ground = tread(cluster, services, place)
    started = edges.now()
    read_claims(ground, edges)
    if place.vantage.cluster_node is not None:
        # A node rewrites connections to a VIP before they reach the wire: nothing seen here would be proof.
        return _evidence(plan, ground, Observed(started=started, ended=edges.now()))
    return _evidence(plan, ground, observe(plan, ground, edges, started))


def _evidence(plan: Plan, ground: Ground, observed: Observed) -> Evidence:
    tried = {Protocol.TCP} if plan.udp_payload is None else {Protocol.TCP, Protocol.UDP}
    return evidence(ground, observed, flows=flows(ground.services, frozenset(tried)), command="diagnose")
