"""The flow of `l2probe diagnose`: read what bears on existing Services, ask the wire, knock at their ports.

Read-only; hands Evidence on and never judges. All waits are bounded and side by side: a dead address costs what its
slowest knock costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from l2probe.announcers.lease import gone
from l2probe.diagnose.asking import ask_all, ask_nodes
from l2probe.diagnose.edges import Edges, Name, Wire
from l2probe.diagnose.following import FOLLOW_SECONDS, STEP_SECONDS, worth_following
from l2probe.diagnose.knocking import Knock, get
from l2probe.diagnose.place import Place, stand
from l2probe.diagnose.reading import CLAIM_RIGHTS
from l2probe.diagnose.seeing import Seen, placed
from l2probe.diagnose.subjects import Wish, key, resolve
from l2probe.errors import NotAllowedError
from l2probe.model import Claim, Cluster, Evidence, Exchange, Flow, Ip, NeighbourReply, Protocol, Service, Trial

MOST_ATTEMPTS, FEWEST_ATTEMPTS = 8, 4
"""Connects to each port of each address: fewer where there are many, so that the whole stays short and polite."""
POLITE = 512
"""Connects in all that are no burden to anybody."""
GETS = 2
DATAGRAMS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the user asked for. `udp_payload` None: no datagram is sent."""

    wish: Wish
    http: bool = False
    udp_payload: bytes | None = None
    pcap: Path | None = None


@dataclass(slots=True, kw_only=True)
class Ground:
    """What a diagnosis stands on; `claims` grows while it is read."""

    cluster: Cluster
    services: tuple[Service, ...]
    place: Place
    claims: dict[Name, list[Claim]] | None = field(default_factory=dict)

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


def diagnose(plan: Plan, edges: Edges) -> Evidence:
    """Observe the Services that the plan means; raises UsageError, ClusterError or WireError when it could not."""
    edges.say("Reading the cluster.")
    cluster = edges.api.survey()
    services = resolve(plan.wish, cluster, edges.api)
    vips = tuple(dict.fromkeys(vip for service in services for vip in service.vips))
    place = stand(edges.vantage, vips, cluster.nodes or ())
    ground = Ground(cluster=cluster, services=services, place=place)
    started = edges.now()
    _read_claims(ground, edges)
    if place.vantage.cluster_node is not None:
        # A node rewrites connections to a VIP before they reach the wire: nothing seen here would be proof.
        return _evidence(plan, ground, Observed(started=started, ended=edges.now()))
    return _evidence(plan, ground, _observe(plan, ground, edges, started))


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the network showed. None: not looked."""

    started: float
    ended: float
    replies: tuple[NeighbourReply, ...] | None = None
    node_replies: tuple[NeighbourReply, ...] | None = None
    exchanges: tuple[Exchange, ...] | None = None


def _observe(plan: Plan, ground: Ground, edges: Edges, started: float) -> Observed:
    """Ask and knock side by side, then read the claims again: a renewal seen is worth more than any clock."""
    nodes = ground.cluster.nodes or ()
    node_addresses = tuple(address for node in nodes for address in node.addresses)
    with ExitStack() as stack:
        wire = _listen(stack, ground, edges)
        near = wire is not None and bool(ground.near)
        solicitor = stack.enter_context(edges.solicit(ground.place.vantage.interface or "")) if near else None
        edges.say(f"Asking who has {_some(ground.vips)}, and knocking.")
        with ThreadPoolExecutor(3, thread_name_prefix="diagnose") as pool:
            if wire is not None:
                # Not only the VIPs: an answer that nobody translated back comes from a node or a Pod.
                wire.watch((*ground.vips, *node_addresses), besides=ground.backends)
            knocked = pool.submit(edges.knock, rounds(plan, ground))
            sanity = pool.submit(ask_nodes, wire, node_addresses)
            if wire is not None and solicitor is not None:
                ask_all(wire, solicitor, ground.near, sanity, edges.pause)
            exchanges, node_replies = knocked.result(), sanity.result()
        _read_claims(ground, edges)
        _follow_claims(ground, edges)
        ended = edges.now()
        if wire is None:
            return Observed(started=started, ended=ended, exchanges=exchanges)
        if plan.pcap is not None:
            wire.save(plan.pcap, (*ground.vips, *node_addresses))
        heard = [reply for reply in wire.neighbours(ground.near) if reply.at >= started]
        return Observed(
            started=started,
            ended=ended,
            replies=edges.map_nodes(heard, node_replies or (), nodes),
            node_replies=edges.map_nodes(node_replies, node_replies, nodes) if node_replies else node_replies,
            exchanges=wire.annotate(exchanges),
        )


def _listen(stack: ExitStack, ground: Ground, edges: Edges) -> Wire | None:
    """Open the wire; None without an interface, a right to, or an address that traffic goes to.

    Behind a router too: nobody could answer there, but by which way answers to traffic come can be seen.
    """
    vantage = ground.place.vantage
    if not vantage.raw_socket or vantage.interface is None or not ground.vips:
        return None
    return stack.enter_context(edges.open_wire(vantage.interface))


def rounds(plan: Plan, ground: Ground) -> tuple[tuple[Knock, ...], ...]:
    """Return what is sent: connects to each TCP port, spread over several rounds; then what was asked for besides."""
    ends = [
        (port.protocol, vip, port.port)
        for service in ground.services
        for port in service.ports
        for vip in service.vips
        if vip not in ground.place.unroutable
    ]
    tcp = [Knock(protocol=Protocol.TCP, vip=vip, port=port) for kind, vip, port in ends if kind is Protocol.TCP]
    attempts = max(FEWEST_ATTEMPTS, min(MOST_ATTEMPTS, POLITE // max(1, len(tcp))))
    found = [tuple(dict.fromkeys(tcp))] * attempts
    if plan.http:
        found += [tuple(replace(one, payload=get(one.vip)) for one in dict.fromkeys(tcp))] * GETS
    if plan.udp_payload is not None:
        payload = plan.udp_payload
        udp = dict.fromkeys((vip, port) for kind, vip, port in ends if kind is Protocol.UDP)
        datagrams = tuple(Knock(protocol=Protocol.UDP, vip=vip, port=port, payload=payload) for vip, port in udp)
        found += [datagrams] * DATAGRAMS
    return tuple(found)


def _read_claims(ground: Ground, edges: Edges) -> None:
    """Add what is claimed now to the history; a claim that says nothing new adds nothing."""
    if ground.claims is None:
        return
    try:
        now = edges.api.claims([key(service) for service in ground.services])
    except NotAllowedError:
        _deny_claims(ground)
        return
    for name, claims in now.items():
        history = ground.claims.setdefault(name, [])
        for claim in claims or _withdrawn(history, edges.now()):
            if not history or replace(history[-1], read_at=claim.read_at) != claim:
                history.append(claim)


def _follow_claims(ground: Ground, edges: Edges) -> None:
    """Read the claims on while an announcer has only just changed: it may do so again and again."""
    until = edges.now() + FOLLOW_SECONDS
    while worth_following((ground.claims or {}).values()) and edges.now() < until:
        edges.pause(STEP_SECONDS)
        _read_claims(ground, edges)


def _deny_claims(ground: Ground) -> None:
    ground.claims = None
    right = CLAIM_RIGHTS.get(ground.cluster.implementation or "")
    if right is not None:
        missing = dict.fromkeys((*ground.cluster.missing_rights, right))
        ground.cluster = replace(ground.cluster, missing_rights=tuple(missing))


def _withdrawn(history: Sequence[Claim], now: float) -> tuple[Claim, ...]:
    return (gone(history[-1], now),) if history and history[-1].holder is not None else ()


def _evidence(plan: Plan, ground: Ground, observed: Observed) -> Evidence:
    trials = tuple(_trial(service, ground, observed) for service in ground.services)
    return Evidence(
        cluster=ground.cluster,
        vantage=ground.place.vantage,
        node_replies=observed.node_replies,
        trials=trials,
        flows=_flows(plan, ground.services),
        command="diagnose",
    )


def _trial(service: Service, ground: Ground, observed: Observed) -> Trial:
    """Return all that was seen of one Service."""
    near = [vip for vip in service.vips if vip in ground.place.near]
    claims = None if ground.claims is None else tuple(ground.claims.get(key(service), ()))
    seen = Seen(
        replies=None if observed.replies is None or not near else _about(near, observed.replies),
        exchanges=None if observed.exchanges is None else _to(service, observed.exchanges),
        claims=claims,
    )
    spot = placed(service, seen)
    return Trial(
        name=service.name,
        service=service,
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
    )


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


def _some(vips: Sequence[Ip]) -> str:
    return ", ".join(vips[:4]) + (f" and {len(vips) - 4} more" if len(vips) > 4 else "")  # noqa: PLR2004 - one line
