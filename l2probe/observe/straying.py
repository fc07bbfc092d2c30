"""Packets that reach our end of an exchange from somebody else than the VIP: answers whose source was not translated.

A segment inside a connection is read straight from its bytes here: thousands of them cost milliseconds, and only those
that nobody expected are worth a dissection. Pure. Layouts: RFC 791, 8200, 9293, 768.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from l2probe.model import Exchange, Ip, Protocol
from l2probe.observe.capture import Frame
from l2probe.observe.frames import CLOCK_SECONDS, Flow, Packet, flow_of, reverse

_ETHERTYPE, _IPV4, _IPV6 = slice(12, 14), b"\x08\x00", b"\x86\xdd"
_SHORTEST_V4, _SHORTEST_V6 = 38, 58
"""Ethernet and IP header, and two ports."""
_FRAGMENT_OFFSET = 0x1FFF
_NUMBERS = {Protocol.TCP: 6, Protocol.UDP: 17}
MOST_STRAYS = 16
"""Senders that one exchange names: anybody on the segment may send as many as he likes."""

Packed = tuple[int, bytes, int]
"""IP protocol number, address and port of one end."""
End = tuple[Protocol, Ip, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Both ends of a TCP segment or UDP datagram."""

    source: Packed
    target: Packed


def ends(data: bytes) -> Ends | None:
    """Return the ends of an Ethernet frame's segment; None for anything else, and for all fragments but the first."""
    if data[_ETHERTYPE] == _IPV4 and len(data) >= _SHORTEST_V4:
        start, number, addresses = 14 + (data[14] & 15) * 4, data[23], (data[26:30], data[30:34])
        if int.from_bytes(data[20:22]) & _FRAGMENT_OFFSET:
            return None
    elif data[_ETHERTYPE] == _IPV6 and len(data) >= _SHORTEST_V6:
        start, number, addresses = 54, data[20], (data[22:38], data[38:54])
    else:
        return None
    ports = data[start : start + 4]
    if number not in _NUMBERS.values() or len(ports) < 4:  # noqa: PLR2004 - two ports
        return None
    source, target = int.from_bytes(ports[:2]), int.from_bytes(ports[2:])
    return Ends(source=(number, addresses[0], source), target=(number, addresses[1], target))


def expected(exchanges: Iterable[Exchange]) -> Mapping[Packed, frozenset[Packed]]:
    """Return with whom each of our ends was to speak."""
    found: dict[Packed, set[Packed]] = defaultdict(set)
    for exchange in exchanges:
        if (flow := flow_of(exchange)) is not None:
            protocol, source, source_port, vip, port = flow
            found[_packed(protocol, source, source_port)].add(_packed(protocol, vip, port))
    return {end: frozenset(peers) for end, peers in found.items()}


def _packed(protocol: Protocol, address: Ip, port: int) -> Packed:
    return _NUMBERS[protocol], ipaddress.ip_address(address).packed, port


def is_unexpected(frame: Frame, peers: Mapping[Packed, frozenset[Packed]]) -> bool:
    """Tell whether a frame is between one of our ends and somebody with whom that end was not to speak."""
    found = ends(frame.data)
    if found is None:
        return False
    ours, theirs = (found.source, found.target) if frame.outgoing else (found.target, found.source)
    return theirs not in peers.get(ours, frozenset((theirs,)))


def note(exchanges: Sequence[Exchange], packets: Iterable[Packet]) -> tuple[Exchange, ...]:
    """Return the exchanges with their strays.

    One source port may serve several connections of this host, to different targets: whom we spoke to ourselves with
    more than a RST is no stray, nor is who begins a connection of its own.
    """
    seen = tuple(packets)
    spoken = {packet.flow for packet in seen if packet.outgoing and "R" not in packet.flags}
    came: dict[End, list[Packet]] = defaultdict(list)
    for packet in seen:
        begins = "S" in packet.flags and "A" not in packet.flags
        if not packet.outgoing and not begins and reverse(packet.flow) not in spoken:
            came[packet.flow[0], packet.flow[3], packet.flow[4]].append(packet)
    until = _next_use(exchanges)
    return tuple(
        replace(exchange, strays=_strays(exchange, came, end)) for exchange, end in zip(exchanges, until, strict=True)
    )


def _strays(exchange: Exchange, came: Mapping[End, list[Packet]], until: float) -> tuple[tuple[Ip, int], ...]:
    flow = flow_of(exchange)
    if flow is None:
        return ()
    begin = exchange.at - CLOCK_SECONDS
    ours = (packet for packet in came.get(_end(flow), ()) if begin <= packet.at < until)
    others = dict.fromkeys(packet.flow[1:3] for packet in ours if packet.flow[1:3] != flow[3:5])
    return tuple(islice(others, MOST_STRAYS))


def _end(flow: Flow) -> End:
    return flow[:3]


def _next_use(exchanges: Sequence[Exchange]) -> Sequence[float]:
    """Return when each exchange's own end was used again, for whomever; else infinity."""
    following: dict[End, float] = {}
    found: dict[int, float] = {}
    for number in sorted(range(len(exchanges)), key=lambda number: exchanges[number].at, reverse=True):
        flow = flow_of(exchanges[number])
        if flow is not None:
            found[number] = following.get(_end(flow), float("inf"))
            following[_end(flow)] = exchanges[number].at
    return [found.get(number, float("inf")) for number in range(len(exchanges))]
