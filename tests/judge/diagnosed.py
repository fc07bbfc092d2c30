"""Evidence as `l2probe diagnose` delivers it, made by hand: a shop whose Services work, and small changes to it.

shop/api has policy Cluster, its backend on node-3, and node-1 announces it; shop/web has policy Local, backends on
node-1 and node-2, and node-2 announces it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from l2probe.model import (
    Backend,
    Claim,
    Datapath,
    Evidence,
    Exchange,
    Flow,
    Ip,
    NodeName,
    Outcome,
    Placement,
    Port,
    Protocol,
    Service,
    TrafficPolicy,
    Trial,
)
from tests.judge.evidence import (
    CLIENT,
    LOCAL4,
    LOCAL6,
    NODES,
    T0,
    VIP4,
    VIP6,
    cluster,
    family,
    mac,
    node_replies,
    replies,
    vantage,
)

ONE, TWO, THREE = NODES


def shop(name: str, vips: tuple[Ip, ...], policy: TrafficPolicy, on: tuple[NodeName, ...]) -> Service:
    """Return a Service of somebody's shop, with a web server behind it."""
    return Service(
        namespace="shop",
        name=name,
        vips=vips,
        policy=policy,
        ports=(Port(protocol=Protocol.TCP, port=80, name="http"),),
        backends=tuple(
            Backend(address=Ip(f"10.244.{node[-1]}.7"), node=node, ready=True, pod=f"{name}-{node[-1]}") for node in on
        ),
    )


def connect(vip: Ip, at: float, entered: NodeName, back: NodeName, outcome: Outcome = Outcome.ANSWERED) -> Exchange:
    """Return a TCP connect that went in through one node and whose first answer came from another."""
    spoke = outcome not in {Outcome.TIMEOUT, Outcome.NO_NEIGHBOUR}
    return Exchange(
        at=at,
        protocol=Protocol.TCP,
        vip=vip,
        port=80,
        outcome=outcome,
        payload_bytes=0,
        source=CLIENT[0] if family(vip) == 4 else CLIENT[1],
        source_port=40_000,
        sent_mac=None if outcome is Outcome.NO_NEIGHBOUR else mac(entered),
        reply_mac=mac(back) if spoke else None,
        latency_seconds=0.001 if outcome is Outcome.ANSWERED else None,
        icmp=(3, 3) if outcome is Outcome.REFUSED_ICMP else None,
        detail="connected" if outcome is Outcome.ANSWERED else "",
    )


def lease(name: str, holder: NodeName | None, at: float) -> Claim:
    """Return the lease of a shop's Service, renewed when it was read."""
    return Claim(
        implementation="cilium",
        source=f"Lease kube-system/cilium-l2announce-shop-{name}",
        holder=holder,
        read_at=at,
        acquired=T0 - 600,
        renewed=at,
        duration_seconds=15.0,
        transitions=1,
    )


def trial(service: Service, announcer: NodeName, place: Placement, back: NodeName) -> Trial:
    """Return what is seen of a Service that works."""
    ready = [backend for backend in service.backends or () if backend.ready]
    return Trial(
        name=service.name,
        service=service,
        placement=place,
        target=ready[0] if len(ready) == 1 else None,
        announcer=announcer,
        claims=(lease(service.name, announcer, T0), lease(service.name, announcer, T0 + 0.5)),
        replies=replies(service.vips, announcer, T0),
        exchanges=tuple(
            connect(vip, T0 + 0.04 * number, announcer, back) for number in range(8) for vip in service.vips
        ),
        started=T0,
        observed_seconds=0.5,
        own=False,
    )


API = shop("api", (VIP4, VIP6), TrafficPolicy.CLUSTER, (THREE,))
WEB = shop("web", (LOCAL4, LOCAL6), TrafficPolicy.LOCAL, (ONE, TWO))


def diagnosed(version: str = "v1.20.2", datapath: Datapath = Datapath.DSR) -> Evidence:
    """Return what is seen of the shop when all is well."""
    back = ONE if datapath is Datapath.SNAT else THREE
    trials = (trial(API, ONE, Placement.ANY, back), trial(WEB, TWO, Placement.ON_ANNOUNCER, TWO))
    return Evidence(
        cluster=replace(cluster(version, datapath), services=(API, WEB)),
        vantage=vantage(),
        node_replies=node_replies(),
        trials=trials,
        flows=(Flow.TCP4, Flow.TCP6),
        command="diagnose",
    )


def each(evidence: Evidence, change: Callable[[Exchange], Exchange], name: str | None = None) -> Evidence:
    """Return the evidence with every exchange (of one Service) changed."""
    return replace(
        evidence,
        trials=tuple(
            replace(one, exchanges=tuple(map(change, one.exchanges or ()))) if name in {None, one.name} else one
            for one in evidence.trials
        ),
    )


def all_end(evidence: Evidence, outcome: Outcome, name: str | None = None) -> Evidence:
    """Return the evidence in which every connect (to one Service) ended so."""
    return each(evidence, lambda one: connect(one.vip, one.at, owner(one), owner(one), outcome), name)


def owner(one: Exchange) -> NodeName:
    """Return the node that announces the address of an exchange."""
    return ONE if one.vip in API.vips else TWO


def with_trial(evidence: Evidence, name: str, change: Callable[[Trial], Trial]) -> Evidence:
    """Return the evidence with one Service's trial changed."""
    return replace(evidence, trials=tuple(change(one) if one.name == name else one for one in evidence.trials))


def unheard(evidence: Evidence) -> Evidence:
    """Nobody answers for any address."""
    mute = replace(
        evidence,
        trials=tuple(replace(one, replies=(), announcer=None, placement=Placement.ANY) for one in evidence.trials),
    )
    return all_end(mute, Outcome.NO_NEIGHBOUR)


def off_announcer(evidence: Evidence, outcome: Outcome) -> Evidence:
    """node-3 announces shop/web, which has no backend there."""
    moved = with_trial(
        evidence,
        "web",
        lambda one: replace(
            one,
            announcer=THREE,
            placement=Placement.OFF_ANNOUNCER,
            replies=replies(one.service.vips, THREE, T0),
            claims=(lease("web", THREE, T0),),
        ),
    )
    return each(moved, lambda one: connect(one.vip, one.at, THREE, THREE, outcome), "web")
