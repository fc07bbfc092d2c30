"""Who announces our Service's addresses: the wire is asked until it spoke, or until silence is an answer."""

from __future__ import annotations

from collections.abc import Sequence

from l2probe.judge.leases import is_undecided
from l2probe.judge.owners import GRACE_SECONDS
from l2probe.model import Ip, NeighbourReply, NodeName
from l2probe.run.stage import Stage

SILENT_SECONDS = 1.5
"""Silence after this long is an answer when a holder is claimed: it programs its datapath within a second."""
ELECTION_SECONDS = 5.0
"""How long nobody may claim a Service before silence is an answer: two retry periods of Cilium (2 s) and a second."""
RENEWAL_STEP_SECONDS = 0.1
MOST_MACS = 16
"""Nodes that one silent address is asked for one by one."""
ALONE_SECONDS = 0.12
"""How long a node on the same segment may take for its answer."""


def await_announcer(stage: Stage, name: str, vips: Sequence[Ip]) -> None:
    """Ask who has the addresses until somebody answered for each, or silence is an answer; replies stay with the wire.

    An answer from another node than the claimed holder is asked for again until it cannot be a handover any more.
    `vips` in the order of asking. Returns at once without a wire. Raises InterruptedRunError.
    """
    if stage.wire is None:
        return
    started = stage.edges.now()
    while True:
        stage.edges.say(f"Asking the wire who has {', '.join(vips)} ({name}).")
        asked = stage.edges.now()
        replies = stage.wire.ask(vips, stop_early=True)
        stage.edges.check()
        if replies and (asked >= _settled_at(stage, name, started) or not _disputed(stage, name, vips, replies)):
            return
        if not replies and stage.edges.now() >= _silent_at(stage, name, started):
            return
        stage.edges.pause(0.1)


def await_renewal(stage: Stage, name: str) -> None:
    """Wait while a lease looks too old by the clocks alone: a renewal that is seen, or none for long, tells its life.

    Raises InterruptedRunError.
    """
    while is_undecided(stage.ground.cluster, stage.claims(name) or (), stage.edges.now()):
        stage.edges.check()
        stage.edges.pause(RENEWAL_STEP_SECONDS)


def ask_alone(stage: Stage, vips: Sequence[Ip], since: float) -> None:
    """Ask every node alone for what nobody has answered for since a Unix time: some hear no broadcast, or no multicast.

    Who answers only then is called once more, for it may have begun to answer just now. What is answered stays with the
    wire. Raises WireError.
    """
    if stage.wire is None or stage.ground.vantage.interface is None:
        return
    answered = {reply.ip for reply in stage.wire.neighbours(vips) if reply.at >= since and reply.solicited}
    silent = [vip for vip in vips if vip not in answered]
    macs = tuple(dict.fromkeys(reply.mac for reply in stage.node_replies or ()))[:MOST_MACS]
    if not silent or not macs:
        return
    with stage.edges.solicit(stage.ground.vantage.interface) as solicitor:
        for address in silent:
            for mac in macs:
                solicitor.ask(address, mac)
        stage.edges.pause(ALONE_SECONDS)
    late = {reply.ip for reply in stage.wire.neighbours(silent) if reply.at >= since and reply.solicited}
    if late:
        stage.wire.ask([vip for vip in silent if vip in late])


def _disputed(stage: Stage, name: str, vips: Sequence[Ip], replies: Sequence[NeighbourReply]) -> bool:
    """Tell whether only other nodes than the claimed holder answered."""
    seen, holder = announcers(vips, stage.mapped(replies)), stage.holder(name)
    return holder is not None and bool(seen) and holder not in seen


def _settled_at(stage: Stage, name: str, started: float) -> float:
    """Return the Unix time from which on another node's answer contradicts the claim."""
    return (_held_since(stage, name) or started) + GRACE_SECONDS


def _held_since(stage: Stage, name: str) -> float | None:
    """Return when the holder was first read, as Unix time; None when nobody holds it, or we may not know."""
    claims = stage.claims(name) or ()
    if not claims or claims[-1].holder is None:
        return None
    return next(claim.read_at for claim in claims if claim.holder == claims[-1].holder)


def _silent_at(stage: Stage, name: str, started: float) -> float:
    """Return the Unix time from which on silence is an answer."""
    cluster = stage.ground.cluster
    if cluster.policies == () or cluster.announcing is False:
        return started + SILENT_SECONDS
    since = _held_since(stage, name)
    return started + ELECTION_SECONDS if since is None else max(started, since) + SILENT_SECONDS


def announcers(vips: Sequence[Ip], replies: Sequence[NeighbourReply]) -> tuple[NodeName, ...]:
    """Return the nodes that answered, the one that this client most probably uses first.

    Linux keeps the first IPv4 answer (arp locktime), so of several it is the one who answered the first VIP first.
    """
    by_vip = sorted(replies, key=lambda reply: (vips.index(reply.ip) if reply.ip in vips else len(vips), reply.at))
    return tuple(dict.fromkeys(reply.node for reply in by_vip if reply.node is not None))
