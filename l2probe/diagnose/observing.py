"""What the network shows of Services: asked, knocked at and, when wanted, pinged, all side by side. Judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

from l2probe.diagnose.again import knock_patiently
from l2probe.diagnose.asking import ask_all, ask_beside, ask_nodes
from l2probe.diagnose.edges import Edges, Wire
from l2probe.diagnose.ground import Ground, Plan, deny, follow_claims, read_claims
from l2probe.diagnose.knocking import Knock, get
from l2probe.diagnose.observed import Observed
from l2probe.diagnose.pools import free, of_others
from l2probe.diagnose.surroundings import follow, guards, note
from l2probe.model import Ip, NeighbourReply, OffLink, Protocol

MOST_ATTEMPTS, FEWEST_ATTEMPTS = 8, 4
"""Connects to each port of each address: fewer where there are many, so that the whole stays short and polite."""
POLITE = 512
"""Connects in all that are no burden to anybody."""
GETS = 2
DATAGRAMS = 3
FREE = 64
"""Addresses of pools that are asked for before any Service has them: those that are handed out next."""


def observe(plan: Plan, ground: Ground, edges: Edges, started: float) -> Observed:
    """Ask and knock side by side, then read the claims again: a renewal seen is worth more than any clock."""
    nodes = ground.cluster.nodes or ()
    node_addresses = tuple(address for node in nodes for address in node.addresses)
    with ExitStack() as stack:
        wire = _listen(stack, ground, edges)
        near = wire is not None and bool(ground.near)
        solicitor = stack.enter_context(edges.solicit(_interface(ground))) if near else None
        if ground.vips:
            edges.say(f"Asking who has {_some(ground.vips)}, and knocking.")
        with ThreadPoolExecutor(7, thread_name_prefix="diagnose") as pool:
            if wire is not None:
                # Not only the VIPs: an answer that nobody translated back comes from a node or a Pod.
                wire.watch((*ground.vips, *node_addresses), besides=ground.backends)
            knocked = pool.submit(knock_patiently, rounds(plan, ground), edges)
            sanity = pool.submit(ask_nodes, wire, node_addresses)
            pinged = pool.submit(edges.ping, _pingable(ground)) if plan.ping else None
            beside = _ask_beside(pool, ground, wire)
            followed = pool.submit(follow, ground.ingress, edges.api, edges.pause)
            if wire is not None and solicitor is not None:
                ask_all(wire, solicitor, ground.near, sanity, edges.pause)
            exchanges, node_replies = knocked.result(), sanity.result()
            followed.result()
        read_claims(ground, edges)
        follow_claims(ground, partial(read_claims, ground, edges), edges.now, edges.pause)
        note(ground.ingress, edges.api)
        known, denied = guards(ground.services, exchanges, edges.api)
        deny(ground, denied)
        seen = Observed(
            started=started,
            ended=edges.now(),
            exchanges=exchanges,
            pings=pinged.result() if pinged else None,
            guards=known,
        )
        if wire is None:
            return seen
        if plan.pcap is not None:
            wire.save(plan.pcap, (*ground.vips, *node_addresses))
        heard = [reply for reply in wire.neighbours(ground.near) if reply.at >= started]
        return replace(
            seen,
            replies=edges.map_nodes(heard, node_replies or (), nodes),
            node_replies=edges.map_nodes(node_replies, node_replies, nodes) if node_replies else node_replies,
            exchanges=wire.annotate(exchanges),
            pool_replies=beside.pool.result() if beside.pool else None,
            off_link=_off_link(ground, beside, edges, node_replies or ()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Questions about what is not ours to be asked for: free pool addresses, and those of another network."""

    pool: Future[tuple[NeighbourReply, ...]] | None = None
    far: Future[tuple[NeighbourReply, ...]] | None = None


def _ask_beside(pool: ThreadPoolExecutor, ground: Ground, wire: Wire | None) -> Beside:
    place = ground.place
    if wire is None or place.segment is None or place.segment.interface != _interface(ground):
        return Beside()
    spare = free(ground.cluster, of_others(place.segment), most=FREE, subnets=place.segment.subnets)
    return Beside(
        pool=pool.submit(ask_beside, wire, spare) if spare else None,
        far=pool.submit(ask_beside, wire, place.far) if place.far else None,
    )


def _off_link(ground: Ground, beside: Beside, edges: Edges, node_replies: Sequence[NeighbourReply]) -> OffLink | None:
    segment = ground.place.segment
    if beside.far is None or segment is None:
        return None
    return OffLink(
        interface=segment.interface or "",
        subnets=segment.subnets,
        asked=ground.place.far,
        replies=edges.map_nodes(beside.far.result(), node_replies, ground.cluster.nodes or ()),
    )


def _interface(ground: Ground) -> str:
    """Return where the wire is: where traffic goes, else on the nodes' segment; "" where there is neither."""
    place = ground.place
    return place.vantage.interface or (place.segment.interface if place.segment else None) or ""


def _listen(stack: ExitStack, ground: Ground, edges: Edges) -> Wire | None:
    """Open the wire; None without an interface, a right to, or an address that traffic goes to.

    Behind a router too: nobody could answer there, but by which way answers to traffic come can be seen.
    """
    if not ground.place.vantage.raw_socket or not _interface(ground) or not ground.vips:
        return None
    return stack.enter_context(edges.open_wire(_interface(ground)))


def _pingable(ground: Ground) -> tuple[Ip, ...]:
    return tuple(vip for vip in ground.vips if vip not in ground.place.unroutable)


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


def _some(vips: Sequence[Ip]) -> str:
    return ", ".join(vips[:4]) + (f" and {len(vips) - 4} more" if len(vips) > 4 else "")  # noqa: PLR2004 - one line
