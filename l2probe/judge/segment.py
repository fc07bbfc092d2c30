"""A07: an address that lies in no subnet of the segment on which it is announced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from l2probe.judge.case import Case, answered, cases, family, node_of, vips
from l2probe.judge.finding import about, finding
from l2probe.judge.ranges import within
from l2probe.judge.words import count, listing, outcomes
from l2probe.model import Evidence, Exchange, Finding, Ip, NeighbourReply, Outcome, Protocol, Verdict

PORT_UNREACHABLE = ((3, 3), (1, 4))
"""ICMP and ICMPv6 type and code that only the address itself, or who stands for it, sends (RFC 792, RFC 4443)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Astray:
    """An address that was answered for where nobody asks for it."""

    vip: Ip
    interface: str
    subnets: tuple[str, ...]
    replies: tuple[NeighbourReply, ...]


def address_off_link(evidence: Evidence) -> Iterator[Finding]:
    """A07: a node answers for the address, and no machine of that segment would ever ask."""
    for case in cases(evidence):
        tried = [one for trial in case.trials for one in trial.exchanges or ()]
        found = [one for vip in vips(case) if (one := astray(case, vip))]
        lost = [one for one in found if not any(arrived(e) for e in tried if e.vip == one.vip)]
        if not lost:
            continue
        first, sent = lost[0], [e for e in tried if e.vip in {one.vip for one in lost}]
        nowhere = not sent and no_route(case)
        who = listing(node_of(case, reply.mac) or reply.mac for one in lost for reply in one.replies)
        addresses = listing(one.vip for one in lost)
        yield finding(
            "A07",
            Verdict.FAIL if sent or nowhere else Verdict.WARN,
            says=f"{who} answered for {addresses} on {first.interface}, and {addresses} lay in none of the "
            f"subnets there ({listing(first.subnets)}): a client of this segment sends to its router and never asks.",
            because=(
                *(
                    f"{one.vip}: {count(len(one.replies), 'answer')} to questions that only l2probe asked."
                    for one in lost
                ),
                f"Traffic from this host: {outcomes(sent)}{way(evidence)}." if sent else "",
                "No route leads there from this host, so nothing could be sent." if nowhere else "",
            ),
            remedy="Take the pool from the nodes' own subnet. Or give the router of this segment an address in the "
            "pool's network on this interface, so that it asks for the addresses; a route to a node is not enough, "
            "for the announcer changes. Where it has one already, or this host's netmask is narrower than the "
            "segment's, the traffic is lost for another reason: look from a host that has the address on its link.",
            subject=about(case, (one.vip for one in lost)),
        )


def no_route(case: Case) -> bool:
    """Whether a diagnosis that knocks at every TCP port could not even try: it leaves out what has no route."""
    knocked = any(trial.exchanges is not None for trial in case.trials)
    return knocked and any(port.protocol is Protocol.TCP for port in case.service.ports)


def astray(case: Case, vip: Ip) -> Astray | None:
    """Return what was heard of an address outside all subnets of the nodes' segment; None where that is not so."""
    evidence, seen = case.evidence, case.evidence.off_link
    if seen is not None:
        heard = by_nodes(case, vip, seen.replies)
        if heard and is_outside(evidence, vip, seen.subnets):
            return Astray(vip=vip, interface=seen.interface, subnets=seen.subnets, replies=heard)
    vantage = evidence.vantage
    heard = by_nodes(case, vip, (reply for trial in case.trials for reply in trial.replies or ()))
    if heard and vantage.interface and is_outside(evidence, vip, vantage.subnets):
        return Astray(vip=vip, interface=vantage.interface, subnets=vantage.subnets, replies=heard)
    return None


def by_nodes(case: Case, vip: Ip, heard: Iterable[NeighbourReply]) -> tuple[NeighbourReply, ...]:
    """Return the nodes' answers for this VIP: of any other a router may be the sender that answers for all it knows."""
    return tuple(reply for reply in heard if reply.ip == vip and node_of(case, reply.mac) is not None)


def arrived(exchange: Exchange) -> bool:
    """Whether something behind the address spoke: then this host's router knows the way, whatever else is wrong."""
    spoke = exchange.outcome in {Outcome.REFUSED_RST, Outcome.RESET, Outcome.WRONG_ANSWER}
    return answered(exchange) or spoke or exchange.icmp in PORT_UNREACHABLE


def is_outside(evidence: Evidence, vip: Ip, subnets: tuple[str, ...]) -> bool:
    """Whether the address is in none of the subnets although nodes' addresses of its family are.

    Without a node in them they say nothing about the segment: this host may only lack an address of the family.
    """
    own = (ip for node in evidence.cluster.nodes or () for ip in node.addresses if family(ip) == family(vip))
    return not within(vip, subnets) and any(within(ip, subnets) for ip in own)


def way(evidence: Evidence) -> str:
    """Return where it went, in words."""
    return f", sent to {evidence.vantage.gateway}" if evidence.vantage.gateway else ""
