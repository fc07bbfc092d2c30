"""What frames tell: who has an address, where a flow went, who answered or refused it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from l2probe.model import Exchange, Ip, Mac, NeighbourReply, Outcome, Protocol

QUESTION_SECONDS = 3.0
"""A reply to a question older than this is unsolicited: the kernel itself gives up after three seconds (RFC 1122)."""
CLOCK_SECONDS = 0.005
"""Frames are stamped by the kernel, exchanges by us just before: allow for rounding."""
TOO_BIG = frozenset({(4, 3, 4), (6, 2, 0)})
"""(IP version, type, code) of messages that refuse a packet's length, not the flow."""

Flow = tuple[Protocol, Ip, int, Ip, int]
"""Protocol, source, source port, target, target port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A who-has or neighbour solicitation that this host sent; `asked`: broadcast, unicast or multicast."""

    at: float
    ip: Ip
    asked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A frame of somebody else that told who has an address. `to_us`: it was sent to one address, not to all."""

    at: float
    ip: Ip
    mac: Mac
    op: str
    frame_mac: Mac
    to_us: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A TCP segment or UDP datagram. `flags`: of TCP, as "SA"; "" for UDP."""

    at: float
    outgoing: bool
    source_mac: Mac
    target_mac: Mac
    flow: Flow
    flags: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IcmpMessage:
    """An ICMP error; `flow` is that of the packet it quotes, `kind` its type and code, `sender` who sent it."""

    at: float
    source_mac: Mac
    sender: Ip
    kind: tuple[int, int]
    flow: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What came back instead of an answer from a VIP: a RST (`icmp` None), or an ICMP error of this type and code."""

    at: float
    vip: Ip
    port: int
    protocol: Protocol
    mac: Mac
    icmp: tuple[int, int] | None = None


Heard = Question | Told | Packet | IcmpMessage


def replies(heard: Iterable[Question | Told], addresses: Collection[Ip]) -> tuple[NeighbourReply, ...]:
    """Return who told that they have these addresses, by time: every frame, solicited or not."""
    questions: dict[Ip, Question] = {}
    found: list[NeighbourReply] = []
    for item in sorted(heard, key=lambda item: item.at):
        if isinstance(item, Question):
            questions[item.ip] = item
        elif item.ip in addresses:
            found.append(_reply(item, questions.get(item.ip)))
    return tuple(found)


def _reply(told: Told, question: Question | None) -> NeighbourReply:
    recent = question is not None and told.at - question.at <= QUESTION_SECONDS
    solicited = recent and told.to_us and told.op != "request"
    return NeighbourReply(
        at=told.at,
        ip=told.ip,
        mac=told.mac,
        op=told.op,
        solicited=solicited,
        frame_mac=told.frame_mac,
        asked=question.asked if question is not None and solicited else None,
    )


def annotate(
    exchanges: Sequence[Exchange], packets: Iterable[Packet], messages: Iterable[IcmpMessage]
) -> tuple[Exchange, ...]:
    """Return the exchanges with the MACs of their first frames each way, and refusals told apart by what was seen."""
    by_flow: dict[Flow | None, list[Packet]] = defaultdict(list)
    for packet in packets:
        by_flow[packet.flow if packet.outgoing else reverse(packet.flow)].append(packet)
    errors: dict[Flow | None, list[IcmpMessage]] = defaultdict(list)
    for message in messages:
        errors[message.flow].append(message)
    ends = _ends(exchanges)
    return tuple(
        _annotated(exchange, by_flow.get(flow, ()), errors.get(flow, ()), end)
        for exchange, flow, end in zip(exchanges, map(flow_of, exchanges), ends, strict=True)
    )


def flow_of(exchange: Exchange) -> Flow | None:
    """Return an exchange's flow; None when it never got a source port."""
    if exchange.source is None or exchange.source_port is None:
        return None
    return exchange.protocol, exchange.source, exchange.source_port, exchange.vip, exchange.port


def reverse(flow: Flow) -> Flow:
    """Return the same flow seen from the other side."""
    protocol, source, source_port, target, target_port = flow
    return protocol, target, target_port, source, source_port


def _ends(exchanges: Sequence[Exchange]) -> Sequence[float]:
    """Return when each exchange's source port was used again for the same VIP, else infinity."""
    following: dict[Flow | None, float] = {}
    ends: dict[int, float] = {}
    for number in sorted(range(len(exchanges)), key=lambda number: exchanges[number].at, reverse=True):
        flow = flow_of(exchanges[number])
        ends[number] = following.get(flow, float("inf"))
        following[flow] = exchanges[number].at
    return [ends[number] for number in range(len(exchanges))]


def _annotated(exchange: Exchange, packets: Sequence[Packet], messages: Sequence[IcmpMessage], end: float) -> Exchange:
    begin = exchange.at - CLOCK_SECONDS
    ours = sorted((packet for packet in packets if begin <= packet.at < end), key=lambda packet: packet.at)
    errors = [message for message in messages if begin <= message.at < end]
    sent = next((packet for packet in ours if packet.outgoing), None)
    back = [packet for packet in ours if not packet.outgoing]
    came: list[Packet | IcmpMessage] = [*back, *errors]
    first = min(came, key=lambda frame: frame.at, default=None)
    seen = replace(
        exchange,
        sent_mac=sent.target_mac if sent else exchange.sent_mac,
        reply_mac=first.source_mac if first else exchange.reply_mac,
        icmp=errors[0].kind if errors else exchange.icmp,
    )
    return replace(seen, outcome=_outcome(seen, back, errors))


def _outcome(exchange: Exchange, back: Sequence[Packet], errors: Sequence[IcmpMessage]) -> Outcome:
    """Return how it really ended: the socket cannot always tell a RST from an ICMP message, or hears too late."""
    version = 6 if ":" in exchange.vip else 4
    refusals = [error for error in errors if (version, *error.kind) not in TOO_BIG]
    unanswered = exchange.outcome in {Outcome.TIMEOUT, Outcome.REFUSED_RST, Outcome.REFUSED_ICMP}
    reset = any("R" in packet.flags for packet in back)
    connected = any("S" in packet.flags for packet in back)
    if not unanswered or connected:
        return exchange.outcome
    if refusals and not reset:
        return Outcome.REFUSED_ICMP
    return Outcome.REFUSED_RST if reset and not refusals else exchange.outcome


def refusals(
    packets: Iterable[Packet], messages: Iterable[IcmpMessage], addresses: Collection[Ip]
) -> tuple[Refusal, ...]:
    """Return every RST and ICMP error that flows to these addresses got, by time."""
    resets = (
        Refusal(at=packet.at, vip=packet.flow[1], port=packet.flow[2], protocol=packet.flow[0], mac=packet.source_mac)
        for packet in packets
        if not packet.outgoing and "R" in packet.flags and packet.flow[1] in addresses
    )
    errors = (
        Refusal(
            at=message.at,
            vip=message.flow[3],
            port=message.flow[4],
            protocol=message.flow[0],
            mac=message.source_mac,
            icmp=message.kind,
        )
        for message in messages
        if message.flow[3] in addresses
    )
    return tuple(sorted((*resets, *errors), key=lambda refusal: refusal.at))
