"""All Services on the wire at once: a sweep, a second one that hears slower owners, and connects to what answered.

Bounded in all: a silent address costs two questions and no connect, and its wait is shared with all others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace

from l2probe.audit.alone import whom
from l2probe.audit.edges import Edges
from l2probe.diagnose.again import knock_patiently
from l2probe.diagnose.asking import ANSWER_SECONDS
from l2probe.diagnose.ground import Ground
from l2probe.diagnose.knocking import Knock
from l2probe.diagnose.observed import Observed
from l2probe.diagnose.pools import free, of_others
from l2probe.model import Exchange, Ip, Mac, NeighbourReply, OffLink, Outcome, Protocol

LINGER = 0.25
"""Seconds after the last question of a sweep: a machine on the same segment needs less."""
PATIENCE = 1.2
"""Seconds before the second sweep, where addresses were silent: a lease that moves finds its new holder meanwhile."""
CONTESTED_ROUNDS, CONTESTED_LINGER = 4, 0.2
"""Further questions for an address with several MACs: who answers them all is no handover."""
MOST_FREE = 4096
"""Free addresses that one sweep asks for: a /20. More would be a scan of somebody's network."""
MOST_ATTEMPTS = 4
POLITE = 512
"""Connects in all that are no burden to anybody; where there are more ports, each gets one."""
AGAIN = 2
MOST_AGAIN = 512
"""Further connects to a port that did not answer its first, and how many such ports get them."""

Replies = tuple[NeighbourReply, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The addresses that are asked for: of Services, of nodes, free ones, and those that no subnet here holds."""

    near: tuple[Ip, ...]
    nodes: tuple[Ip, ...]
    spare: tuple[Ip, ...]
    far: tuple[Ip, ...]


def look(ground: Ground, edges: Edges) -> Observed:
    """Look at all Services; without a way to ask on the wire only traffic is tried. Raises WireError."""
    started = edges.now()
    interface = _interface(ground)
    if interface is None:
        exchanges = _knock(_ends(ground, frozenset()), edges)
        return Observed(started=started, ended=edges.now(), exchanges=exchanges)
    asked = _asked(ground, interface)
    wanted = len(asked.near) + len(asked.far)
    edges.say(f"Asking who has {wanted} addresses, {len(asked.nodes)} nodes' own and {len(asked.spare)} free ones.")
    heard = edges.sweep(interface, (*asked.nodes, *asked.near, *asked.far, *asked.spare), linger=LINGER)
    silent = frozenset(asked.near) - {reply.ip for reply in heard}
    with ExitStack() as stack:
        wire = stack.enter_context(edges.open_wire(interface))
        wire.watch(asked.near)
        with ThreadPoolExecutor(1, thread_name_prefix="audit") as pool:
            knocked = pool.submit(_knock, _ends(ground, silent), edges)
            more = _ask_again(interface, asked.near, heard, edges)
            exchanges = knocked.result()
        exchanges = wire.annotate(exchanges)
    # Not while the wire is open: it would read thousands of our own questions, and lose the frames of connects by it.
    told = {reply.ip for reply in (*heard, *more)}
    pairs, partly = whom(tuple(vip for vip in asked.near if vip not in told), ground, (*heard, *more))
    alone = _ask_alone(interface, pairs, edges)
    seen = Observed(started=started, ended=edges.now(), exchanges=exchanges, partly_asked=partly)
    return _told(seen, ground, asked, (*heard, *more, *alone), edges)


def _interface(ground: Ground) -> str | None:
    """Return the interface to ask on: towards the addresses, else where the nodes are; None without a right to."""
    vantage, segment = ground.place.vantage, ground.place.segment
    if not vantage.raw_socket or not ground.vips:
        return None
    if vantage.on_link is not False and vantage.interface:
        return vantage.interface
    return segment.interface if segment else None


def _asked(ground: Ground, interface: str) -> Asked:
    place, nodes = ground.place, ground.cluster.nodes or ()
    on_segment = place.segment is not None and place.segment.interface == interface
    return Asked(
        near=ground.near,
        nodes=tuple(dict.fromkeys(address for node in nodes for address in node.addresses)),
        # Elsewhere a router may answer, which says nothing about who has an address.
        # Where only a part of the Services may be listed, nobody here knows what is free.
        spare=()
        if ground.cluster.within
        else free(ground.cluster, of_others(place.vantage), most=MOST_FREE, subnets=place.vantage.subnets),
        far=place.far if on_segment else (),
    )


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


def _ask_alone(interface: str, pairs: Sequence[tuple[Ip, Mac]], edges: Edges) -> Replies:
    """Ask machines alone for what answered nobody's call; then call again for what one of them told of.

    It may have begun to answer only now: that is no announcer that hears no calls.
    """
    alone = edges.ask_alone(interface, pairs, linger=ANSWER_SECONDS) if pairs else ()
    if not alone:
        return ()
    told = tuple(dict.fromkeys(reply.ip for reply in alone))
    return (*alone, *edges.sweep(interface, told, linger=LINGER, whole=True))


def _told(seen: Observed, ground: Ground, asked: Asked, heard: Replies, edges: Edges) -> Observed:
    """Return what was heard, by what it is about: Services, nodes, free addresses and those of another network."""
    some = (asked.near, asked.nodes, asked.spare, asked.far)
    near, nodes, spare, far = ([reply for reply in heard if reply.ip in those] for those in map(frozenset, some))
    segment, known = ground.place.segment, ground.cluster.nodes or ()
    return replace(
        seen,
        replies=edges.map_nodes(near, nodes, known),
        node_replies=edges.map_nodes(nodes, nodes, known) if asked.nodes else None,
        pool_replies=edges.map_nodes(spare, nodes, known),
        off_link=None
        if segment is None or not asked.far
        else OffLink(
            interface=segment.interface or "",
            subnets=segment.subnets,
            asked=asked.far,
            replies=edges.map_nodes(far, nodes, known),
        ),
    )


def _ends(ground: Ground, silent: frozenset[Ip]) -> tuple[Knock, ...]:
    """Return a connect to each TCP port of each address that is there to answer."""
    return tuple(
        dict.fromkeys(
            Knock(protocol=Protocol.TCP, vip=vip, port=port.port)
            for service in ground.services
            for vip in service.vips
            if vip not in ground.place.unroutable and vip not in silent
            for port in service.ports
            if port.protocol is Protocol.TCP
        )
    )


def _knock(ends: Sequence[Knock], edges: Edges) -> tuple[Exchange, ...]:
    """Connect to each port, more than once where they are few; again to those that did not answer."""
    attempts = max(1, min(MOST_ATTEMPTS, POLITE // max(1, len(ends))))
    first = knock_patiently([ends] * attempts, edges)
    good = {(one.vip, one.port) for one in first if one.outcome is Outcome.ANSWERED}
    failed = [end for end in ends if (end.vip, end.port) not in good][:MOST_AGAIN]
    return (*first, *edges.knock([failed] * AGAIN)) if failed and attempts <= AGAIN else first
