"""Ethernet: ask who has an address, listen, keep the frames. The only module that imports scapy.

Frames are untrusted: what cannot be dissected is skipped, and what is kept is bounded.
ARP: RFC 826, 5227. Neighbour discovery: RFC 4861. ICMP errors: RFC 792, 4443.
"""

from __future__ import annotations

import ipaddress
import os
import struct
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Self, TypeVar

from scapy.error import Scapy_Exception
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6PacketTooBig,
    IPv6,
)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet as Layers
from scapy.utils import RawPcapWriter

from l2probe.errors import WireError
from l2probe.model import Exchange, Ip, Mac, NeighbourReply, Protocol
from l2probe.observe import frames, netlink, quoting, straying
from l2probe.observe.bpf import ICMP_UNREACHABLE, MAX_WATCHED
from l2probe.observe.capture import Capture, Frame
from l2probe.observe.frames import Heard, IcmpMessage, Packet, Question, Told
from l2probe.observe.questions import ANY_V4, ANY_V6, neighbour_solicitation, source_for, who_has
from l2probe.observe.recording import Recording

WHO_HAS, IS_AT = 1, 2
GROUP_BIT = 0x01
"""Of an Ethernet address' first octet: set for broadcast and multicast (IEEE 802)."""
HOP_LIMIT = 255
"""Of every valid neighbour discovery packet (RFC 4861 7.1): no router forwarded it."""
ETHERNET_HEADER_BYTES, IPV6_HEADER_BYTES, ICMP_HEADER_BYTES = 14, 40, 8
UNICAST = "unicast"
MALFORMED = (ValueError, TypeError, AttributeError, LookupError, struct.error, OSError, Scapy_Exception)
"""What scapy raises on bytes that it took for a well-formed frame."""
H = TypeVar("H", bound=Heard)


def open_wire(interface: str) -> Wire:
    """Return an interface, listened to from now on; raises WireError when it does not exist or is not permitted."""
    link = next((link for link in netlink.links() if link.name == interface), None)
    if link is None or link.mac is None:
        what = "does not exist" if link is None else "is not Ethernet"
        raise WireError(f"The interface {interface} {what}.", "Pass --interface with one on the VIP's segment.")
    return Wire(Capture(interface), link)


class Wire:
    """One interface with a thread that listens; safe to use from many threads. A context manager."""

    def __init__(self, capture: Capture, link: netlink.Link) -> None:
        assert link.mac is not None
        self._capture = capture
        self._mac = link.mac
        self._source = source_for([address for address in netlink.addresses() if address.index == link.index])
        self._watched: set[Ip] = set()
        self._recording = Recording(capture, dissect)
        self._thread = threading.Thread(target=self._recording.run, name=f"wire {link.name}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._recording.stop()
        self._thread.join()
        self._recording.close()
        self._capture.close()

    def watch(self, addresses: Collection[Ip], besides: Sequence[Ip] = ()) -> None:
        """Keep the IP packets to and from these addresses from now on; what is asked for is watched anyway.

        Of those `besides` as many as the kernel's filter has room for: with more it would let all traffic through.
        """
        wanted = self._watched.union(addresses)
        more = [address for address in dict.fromkeys(besides) if address not in wanted]
        wanted.update(more[: max(0, MAX_WATCHED - len(wanted))])
        if wanted != self._watched:
            self._watched = wanted
            self._capture.watch(frozenset(self._watched))

    def ask(
        self,
        addresses: Sequence[Ip],
        *,
        times: int = 3,
        gap: float = 0.15,
        linger: float = 0.4,
        stop_early: bool = False,
    ) -> tuple[NeighbourReply, ...]:
        """Ask everybody who has these addresses and return all that was told about them meanwhile.

        Each of `times` rounds asks for all at once and listens for `gap` seconds, the last one for `linger`; with
        `stop_early` it ends as soon as each address was told of. Raises WireError.
        """
        self.watch(addresses)
        began = time.time()
        questions = [self._question(address) for address in addresses]

        def complete() -> bool:
            return stop_early and {reply.ip for reply in self._since(began, addresses)}.issuperset(addresses)

        for left in range(times - 1, -1, -1):
            for question in questions:
                self._recording.note_sent(Frame(at=time.time(), outgoing=True, data=question))
                self._capture.send(question)
            if self._recording.wait(complete, gap if left else linger):
                break
        return self._since(began, addresses)

    def _since(self, began: float, addresses: Collection[Ip]) -> tuple[NeighbourReply, ...]:
        told = self._recording.told(began - frames.QUESTION_SECONDS)
        return tuple(reply for reply in frames.replies(told, frozenset(addresses)) if reply.at >= began)

    def _question(self, address: Ip) -> bytes:
        source = self._source(address)
        if ":" in address:
            return neighbour_solicitation(self._mac, source, address)
        return who_has(self._mac, source, address)

    def neighbours(self, addresses: Collection[Ip]) -> tuple[NeighbourReply, ...]:
        """Return all that was told so far about who has these addresses, asked for or not, by time."""
        return frames.replies(self._recording.told(), frozenset(addresses))

    def annotate(self, exchanges: Sequence[Exchange]) -> tuple[Exchange, ...]:
        """Return the exchanges with what their frames showed: MACs both ways, who refused, and who else sent."""
        heard = self._recording.traffic()
        packets, peers = _only(heard, Packet), straying.expected(exchanges)
        inside = self._recording.inside(lambda frame: straying.is_unexpected(frame, peers))
        seen = frames.annotate(exchanges, packets, _only(heard, IcmpMessage))
        return straying.note(seen, (*packets, *inside))

    def refusals(self, addresses: Collection[Ip]) -> tuple[frames.Refusal, ...]:
        """Return every RST and ICMP error so far about flows to these addresses, by time."""
        heard = self._recording.traffic()
        return frames.refusals(_only(heard, Packet), _only(heard, IcmpMessage), frozenset(addresses))

    def save(self, path: Path, addresses: Collection[Ip]) -> int:
        """Write the frames that concern these addresses, by time, as a capture file; return how many.

        The file appears whole or not at all. Raises WireError when it cannot be written.
        """
        wanted = frozenset(addresses)
        chosen = [frame for frame in self._recording.frames() if concerns(frame, wanted)]
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            write_capture(temporary, chosen)
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise WireError(
                f"The capture {path} could not be written: {error.strerror}.", "Choose another path."
            ) from error
        return len(chosen)


def _only(heard: Sequence[Heard], kind: type[H]) -> list[H]:
    return [item for item in heard if isinstance(item, kind)]


def write_capture(path: Path, chosen: Sequence[Frame]) -> None:
    """Write frames by time as pcap with microseconds; raises OSError."""
    with RawPcapWriter(str(path), linktype=1) as writer:
        writer.write_header(None)
        for frame in sorted(chosen, key=lambda frame: frame.at):
            seconds = int(frame.at)
            writer.write_packet(frame.data, sec=seconds, usec=int((frame.at - seconds) * 1e6))


def dissect(frame: Frame) -> Heard | None:
    """Return what a frame tells; None when it tells nothing or is no proper frame. Never raises."""
    try:
        layers = Ether(frame.data)
        return next((heard for read in READERS if (heard := read(frame, layers)) is not None), None)
    except MALFORMED:
        return None


def concerns(frame: Frame, addresses: Collection[Ip]) -> bool:
    """Tell whether a frame is about one of these addresses: a question, an answer, or IP to or from it."""
    heard = dissect(frame)
    if isinstance(heard, Question | Told):
        return heard.ip in addresses
    if heard is not None:
        return heard.flow[1] in addresses or heard.flow[3] in addresses
    return any(ends in addresses for ends in _ends(frame))


def _ends(frame: Frame) -> tuple[Ip, ...]:
    """Return source and target of an IP packet that tells nothing, such as a fragment."""
    try:
        ip = Ether(frame.data).payload
        return (Ip(str(ip.src)), Ip(str(ip.dst))) if isinstance(ip, IP | IPv6) else ()
    except MALFORMED:
        return ()


def _arp(frame: Frame, layers: Layers) -> Heard | None:
    arp = layers.payload
    if not isinstance(arp, ARP) or (arp.hwtype, arp.ptype, arp.hwlen, arp.plen) != (1, 0x0800, 6, 4):
        return None
    sender, target = _ip(arp.psrc), _ip(arp.pdst)
    if frame.outgoing:
        asks = arp.op == WHO_HAS and sender != target
        return Question(at=frame.at, ip=target, asked=_asked(layers.dst, "broadcast")) if asks else None
    if arp.op not in {WHO_HAS, IS_AT} or sender == ANY_V4:
        return None
    return _told(frame, layers, sender, arp.hwsrc, "reply" if arp.op == IS_AT else "request")


def _advertisement(frame: Frame, layers: Layers) -> Heard | None:
    message = layers.payload.payload
    if not isinstance(message, ICMPv6ND_NA) or layers.payload.hlim != HOP_LIMIT or frame.outgoing:
        return None
    option = message.getlayer(ICMPv6NDOptDstLLAddr)
    return _told(frame, layers, _ip(message.tgt), option.lladdr if option else layers.src, "advertisement")


def _solicitation(frame: Frame, layers: Layers) -> Heard | None:
    """Read a question: ours, or somebody's who thereby tells its own address (not in duplicate address detection)."""
    message = layers.payload.payload
    if not isinstance(message, ICMPv6ND_NS) or layers.payload.hlim != HOP_LIMIT:
        return None
    if frame.outgoing:
        return Question(at=frame.at, ip=_ip(message.tgt), asked=_asked(layers.dst, "multicast"))
    sender, option = _ip(layers.payload.src), message.getlayer(ICMPv6NDOptSrcLLAddr)
    if sender == ANY_V6 or option is None:
        return None
    return _told(frame, layers, sender, option.lladdr, "request")


def _told(frame: Frame, layers: Layers, ip: Ip, mac: str, op: str) -> Told:
    to_us = _asked(layers.dst, "") == UNICAST
    return Told(at=frame.at, ip=ip, mac=Mac(mac.lower()), op=op, frame_mac=Mac(layers.src.lower()), to_us=to_us)


def _asked(target: str, group: str) -> str:
    return group if int(target[:2], 16) & GROUP_BIT else UNICAST


def _icmp(frame: Frame, layers: Layers) -> Heard | None:
    """Read an ICMP or ICMPv6 error; its quotation follows eight octets of header in both."""
    ip, message = layers.payload, layers.payload.payload
    unreachable = isinstance(message, ICMP) and message.type == ICMP_UNREACHABLE
    if frame.outgoing or not (unreachable or isinstance(message, ICMPv6DestUnreach | ICMPv6PacketTooBig)):
        return None
    header = ip.ihl * 4 if isinstance(ip, IP) else IPV6_HEADER_BYTES
    flow = quoting.quoted_flow(frame.data[ETHERNET_HEADER_BYTES + header + ICMP_HEADER_BYTES :])
    if flow is None:
        return None
    kind = (int(message.type), int(message.code))
    return IcmpMessage(at=frame.at, source_mac=Mac(layers.src.lower()), sender=_ip(ip.src), kind=kind, flow=flow)


def _transport(frame: Frame, layers: Layers) -> Heard | None:
    ip, segment = layers.payload, layers.payload.payload
    if not isinstance(ip, IP | IPv6) or not isinstance(segment, TCP | UDP):
        return None
    tcp = isinstance(segment, TCP)
    protocol = Protocol.TCP if tcp else Protocol.UDP
    return Packet(
        at=frame.at,
        outgoing=frame.outgoing,
        source_mac=Mac(layers.src.lower()),
        target_mac=Mac(layers.dst.lower()),
        flow=(protocol, _ip(ip.src), int(segment.sport), _ip(ip.dst), int(segment.dport)),
        flags=str(segment.flags) if tcp else "",
    )


def _ip(text: object) -> Ip:
    return Ip(str(ipaddress.ip_address(str(text))))


READERS = (_arp, _advertisement, _solicitation, _icmp, _transport)
"""Each knows one kind of frame; the first that recognises a frame reads it."""
