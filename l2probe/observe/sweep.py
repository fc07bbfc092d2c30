"""Asking who has thousands of addresses at once, as fast as one thread can. Decides nothing.

One raw socket sends and hears: a window of questions, then what came meanwhile, so that the kernel's buffer never
overflows (unprivileged ones hold some 250 frames). Frames are untrusted: what is cut or odd tells nothing.
ARP: RFC 826. Neighbour advertisement: RFC 4861 4.4. `wire` asks a few addresses and keeps the frames.
"""

from __future__ import annotations

import select
import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from l2probe.errors import WireError
from l2probe.model import Ip, Mac, NeighbourReply
from l2probe.observe import netlink, questions
from l2probe.observe.capture import Capture, Frame

WINDOW = 64
"""Questions between two looks at the socket."""
MOST_REPLIES = 65_536
"""Frames of a sweep that are kept: a flood of answers costs no more memory."""
_ARP_TYPE, _IPV6_TYPE = b"\x08\x06", b"\x86\xdd"
_ARP_HEADER = bytes.fromhex("0001 0800 06 04")
_ARP = struct.Struct("!6s6s8xH6s4s")
"""Target and source of the frame; operation, hardware and protocol address of the sender (from octet 22)."""
_ARP_BYTES, _NA_BYTES = 42, 78
_HEAD_BYTES = 256
"""Of each frame: an answer and its options are shorter, and small buffers cost no time."""
_REQUEST, _REPLY = 1, 2
_ICMPV6, _ADVERTISEMENT, _HOP_LIMIT = 58, 136, 255
_TARGET_OPTION = b"\x02\x01"
_GROUP_BIT = 0x01
_OPS = {_REQUEST: "request", _REPLY: "reply"}
Known = Mapping[bytes, Ip]


def sweep(interface: str, addresses: Sequence[Ip], *, linger: float, whole: bool = False) -> tuple[NeighbourReply, ...]:
    """Ask everybody once for each address; return every frame that told who has one of them, by time.

    Ends `linger` seconds after the last question; unless it is wanted `whole`, as soon as each was told of, which hears
    the quickest of several owners only. Raises WireError.
    """
    known = {questions.packed_ip(address): address for address in addresses}
    if not known:
        return ()
    return _asked(interface, _questions(interface, tuple(known.values())), known, linger=linger, whole=whole)


def ask_alone(interface: str, pairs: Sequence[tuple[Ip, Mac]], *, linger: float) -> tuple[NeighbourReply, ...]:
    """Ask each of these machines alone whether it has the address beside it; return every frame that told so, by time.

    Some announcers hear only what is sent to them alone. Ends `linger` seconds after the last question. Raises
    WireError.
    """
    ours, source = _ours(interface)
    known = {questions.packed_ip(address): address for address, _ in pairs}
    frames = [
        frame for address, mac in pairs if (frame := questions.to_one(ours, source(address), address, mac)) is not None
    ]
    if not frames:
        return ()
    whom = frozenset(pairs)
    told = _asked(interface, frames, known, linger=linger, whole=True)
    # Who was not asked alone answers somebody's call.
    return tuple(
        replace(reply, asked="unicast") if reply.solicited and (reply.ip, reply.mac) in whom else reply
        for reply in told
    )


def _asked(
    interface: str, frames: Sequence[bytes], known: Known, *, linger: float, whole: bool
) -> tuple[NeighbourReply, ...]:
    """Send the questions and return what was told of the known addresses meanwhile, by time."""
    found: list[NeighbourReply] = []
    told: set[Ip] = set()
    with closing(Capture(interface)) as capture:

        def hear() -> None:
            for frame in capture.frames(_HEAD_BYTES):
                if len(found) < MOST_REPLIES and (reply := read(frame, known)) is not None:
                    found.append(reply)
                    told.add(reply.ip)

        for start in range(0, len(frames), WINDOW):
            for question in frames[start : start + WINDOW]:
                capture.send(question)
            hear()
        deadline = time.monotonic() + linger
        while (whole or len(told) < len(known)) and (left := deadline - time.monotonic()) > 0:
            select.select([capture], [], [], left)
            hear()
    return tuple(sorted(found, key=lambda reply: reply.at))


def _ours(interface: str) -> tuple[Mac, Callable[[Ip], Ip]]:
    """Return the interface's MAC and what finds the address to ask from; raises WireError."""
    link = next((link for link in netlink.links() if link.name == interface), None)
    if link is None or link.mac is None:
        raise WireError(f"The interface {interface} is not Ethernet.", "Pass --interface.")
    return link.mac, questions.source_for([own for own in netlink.addresses() if own.index == link.index])


def _questions(interface: str, addresses: Sequence[Ip]) -> list[bytes]:
    mac, source = _ours(interface)
    ask = {False: questions.who_has, True: questions.neighbour_solicitation}
    return [ask[":" in address](mac, source(address), address) for address in addresses]


def read(frame: Frame, known: Known) -> NeighbourReply | None:
    """Return what a frame tells about one of the known addresses (keys: packed); None when it tells nothing."""
    data = frame.data
    if frame.outgoing:
        return None
    if data[12:14] == _ARP_TYPE:
        return _arp(frame, known)
    if data[12:14] == _IPV6_TYPE and data[20:22] == bytes((_ICMPV6, _HOP_LIMIT)) and data[54:55] == b"\x88":
        return _advertisement(frame, known)
    return None


def _arp(frame: Frame, known: Known) -> NeighbourReply | None:
    data = frame.data
    if len(data) < _ARP_BYTES or data[14:20] != _ARP_HEADER:
        return None
    target, source, op, mac, sender = _ARP.unpack_from(data)
    if sender not in known or op not in _OPS:
        return None
    return _told(frame.at, known[sender], mac, source, _OPS[op], asked=op == _REPLY and not target[0] & _GROUP_BIT)


def _advertisement(frame: Frame, known: Known) -> NeighbourReply | None:
    data = frame.data
    if len(data) < _NA_BYTES or data[62:78] not in known:
        return None
    option = next((value for kind, value in _options(data[_NA_BYTES:]) if kind == _TARGET_OPTION), data[6:12])
    return _told(frame.at, known[data[62:78]], option, data[6:12], "advertisement", asked=not data[0] & _GROUP_BIT)


def _options(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and length of each option with the octets of a MAC; ends at the first that is cut or has no length."""
    while len(data) >= 8 and 0 < data[1] * 8 <= len(data):  # noqa: PLR2004 - options are multiples of eight octets
        yield data[:2], data[2:8]
        data = data[data[1] * 8 :]


def _told(at: float, ip: Ip, mac: bytes, source: bytes, op: str, *, asked: bool) -> NeighbourReply:
    how = "multicast" if ":" in ip else "broadcast"
    return NeighbourReply(
        at=at,
        ip=ip,
        mac=Mac(mac.hex(":")),
        op=op,
        solicited=asked,
        frame_mac=Mac(source.hex(":")),
        asked=how if asked else None,
    )
