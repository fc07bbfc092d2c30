"""All Services on the wire at once: a sweep, a second one that hears slower owners, and connects to what answered.

Bounded in all: a silent address costs two questions and no connect, and its wait is shared with all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

from l2probe.audit.edges import Edges, Wire
from l2probe.audit.pools import free
from l2probe.diagnose.asking import ANSWER_SECONDS, MOST_MACS
from l2probe.diagnose.knocking import Knock
from l2probe.diagnose.place import Place
from l2probe.model import Cluster, Exchange, Ip, NeighbourReply, Outcome, Protocol, Service

LINGER = 0.25
"""Seconds after the last question of a sweep: a machine on the same segment needs less."""
PATIENCE = 1.2
"""Seconds before the second sweep, where addresses were silent: a lease that moves finds its new holder meanwhile."""
CONTESTED_ROUNDS, CONTESTED_LINGER = 3, 0.1
"""Further questions for an address with several MACs: who answers them all is no handover."""
MOST_ALONE = 256
"""Silent addresses that each node is asked for alone."""
MOST_ATTEMPTS = 4
POLITE = 512
"""Connects in all that are no burden to anybody; where there are more ports, each gets one."""
AGAIN = 2
MOST_AGAIN = 512
"""Further connects to a port that did not answer its first, and how many such ports get them."""

Replies = tuple[NeighbourReply, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What the network showed. None: not looked."""

    replies: Replies | None = None
    node_replies: Replies | None = None
    pool_replies: Replies | None = None
    exchanges: tuple[Exchange, ...] | None = None


def look(services: Sequence[Service], cluster: Cluster, place: Place, edges: Edges) -> Looked:
    """Look at all Services; without a way to ask on the wire only traffic is tried. Raises WireError."""
    vips = tuple(dict.fromkeys(vip for service in services for vip in service.vips))
    interface = _interface(place, vips)
    if interface is None:
        return Looked(exchanges=_knock(_ends(services, place, frozenset()), edges))
    asked = tuple(vip for vip in vips if vip in place.near)
    nodes = tuple(dict.fromkeys(address for node in cluster.nodes or () for address in node.addresses))
    used = {vip for service in cluster.services or () for vip in service.vips}
    spare = free(cluster, frozenset({*used, *nodes, *place.vantage.addresses}))
    edges.say(f"Asking who has {len(asked)} addresses, {len(nodes)} nodes' own and {len(spare)} free ones.")
    heard = edges.sweep(interface, (*nodes, *asked, *spare), linger=LINGER)
    silent = frozenset(asked) - {reply.ip for reply in heard}
    with ExitStack() as stack:
        wire = stack.enter_context(edges.open_wire(interface))
        wire.watch(asked)
        with ThreadPoolExecutor(1, thread_name_prefix="audit") as pool:
            knocked = pool.submit(_knock, _ends(services, place, silent), edges)
            more = _ask_again(interface, asked, heard, edges)
            alone = _ask_alone(wire, interface, asked, (*heard, *more), frozenset(nodes), edges)
            exchanges = knocked.result()
        return _looked((*heard, *more, *alone), cluster, (asked, nodes, spare), wire.annotate(exchanges), edges)


def _interface(place: Place, vips: Sequence[Ip]) -> str | None:
    """Return the interface to ask on; None without a right to, or an address that could be asked for on it."""
    vantage = place.vantage
    return vantage.interface if vantage.raw_socket and vantage.on_link is not False and vips else None


def _ask_again(interface: str, asked: Sequence[Ip], heard: Replies, edges: Edges) -> Replies:
    """Ask for all once more, with time for the slower of several owners; then what several answered for, several times.

    One answer is no proof that nobody else has the address, and one silence none that nobody has it.
    """
    if not {reply.ip for reply in heard}.issuperset(asked):
        edges.pause(PATIENCE)
    found = list(edges.sweep(interface, asked, linger=LINGER, whole=True))
    macs = Counter(ip for ip, _ in {(reply.ip, reply.mac) for reply in (*heard, *found)})
    contested = tuple(ip for ip in asked if macs[ip] > 1)
    for _ in range(CONTESTED_ROUNDS if contested else 0):
        found += edges.sweep(interface, contested, linger=CONTESTED_LINGER, whole=True)
    return tuple(found)


def _ask_alone(  # noqa: PLR0917 - all that decides whom to ask
    wire: Wire, interface: str, asked: Sequence[Ip], heard: Replies, nodes: frozenset[Ip], edges: Edges
) -> Replies:
    """Ask the nodes one by one for what answered nobody's call: some hear only what is sent to them alone."""
    told = {reply.ip for reply in heard}
    silent = tuple(vip for vip in asked if vip not in told)[:MOST_ALONE]
    macs = tuple(dict.fromkeys(reply.mac for reply in heard if reply.ip in nodes))[:MOST_MACS]
    if not silent or not macs:
        return ()
    with edges.solicit(interface) as solicitor:
        for address in silent:
            for mac in macs:
                solicitor.ask(address, mac)
        edges.pause(ANSWER_SECONDS)
        return wire.neighbours(silent)


def _looked(
    heard: Replies,
    cluster: Cluster,
    asked: tuple[Sequence[Ip], Sequence[Ip], Sequence[Ip]],
    exchanges: tuple[Exchange, ...],
    edges: Edges,
) -> Looked:
    """Return what was heard, by what it is about: Services, nodes and free addresses."""
    services, nodes, spare = ([reply for reply in heard if reply.ip in some] for some in map(frozenset, asked))
    known = cluster.nodes or ()
    return Looked(
        replies=edges.map_nodes(services, nodes, known),
        node_replies=edges.map_nodes(nodes, nodes, known) if asked[1] else None,
        pool_replies=edges.map_nodes(spare, nodes, known),
        exchanges=exchanges,
    )


def _ends(services: Sequence[Service], place: Place, silent: frozenset[Ip]) -> tuple[Knock, ...]:
    """Return a connect to each TCP port of each address that is there to answer."""
    return tuple(
        dict.fromkeys(
            Knock(protocol=Protocol.TCP, vip=vip, port=port.port)
            for service in services
            for vip in service.vips
            if vip not in place.unroutable and vip not in silent
            for port in service.ports
            if port.protocol is Protocol.TCP
        )
    )


def _knock(ends: Sequence[Knock], edges: Edges) -> tuple[Exchange, ...]:
    """Connect to each port, more than once where they are few; again to those that did not answer."""
    attempts = max(1, min(MOST_ATTEMPTS, POLITE // max(1, len(ends))))
    first = edges.knock([ends] * attempts)
    good = {(one.vip, one.port) for one in first if one.outcome is Outcome.ANSWERED}
    failed = [end for end in ends if (end.vip, end.port) not in good][:MOST_AGAIN]
    return (*first, *edges.knock([failed] * AGAIN)) if failed and attempts <= AGAIN else first
