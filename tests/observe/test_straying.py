"""Who else sends to our end of an exchange: read from bytes, told apart from this host's other connections."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet as Layers

from l2probe.model import Exchange, Ip, Mac, Outcome, Protocol
from l2probe.observe.bpf import MAX_WATCHED
from l2probe.observe.capture import Capture, Frame
from l2probe.observe.frames import Packet
from l2probe.observe.netlink import Link
from l2probe.observe.recording import Recording
from l2probe.observe.straying import MOST_STRAYS, ends, expected, is_unexpected, note
from l2probe.observe.wire import Wire, dissect

VIP, NODE, CLIENT, OTHER = (Ip(f"198.51.100.{last}") for last in (40, 11, 100, 41))
VIP6, NODE6, CLIENT6 = (Ip(f"2001:db8:1::{last}") for last in ("40", "11", "100"))
HEAD = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:64")
MAC = Mac("02:00:00:00:00:01")


def asked(at: float = 10.0, port: int = 40000, vip: Ip = VIP, protocol: Protocol = Protocol.TCP) -> Exchange:
    """Return an exchange from this source port."""
    return Exchange(
        at=at,
        protocol=protocol,
        vip=vip,
        port=80,
        outcome=Outcome.TIMEOUT,
        payload_bytes=0,
        source=CLIENT6 if ":" in vip else CLIENT,
        source_port=port,
    )


def came(  # noqa: PLR0917 - the parts of a packet
    at: float, source: Ip, sport: int = 8080, port: int = 40000, flags: str = "A", protocol: Protocol = Protocol.TCP
) -> Packet:
    """Return a packet that came in."""
    target = CLIENT6 if ":" in source else CLIENT
    flow = (protocol, source, sport, target, port)
    return Packet(at=at, outgoing=False, source_mac=MAC, target_mac=MAC, flow=flow, flags=flags)


def went(at: float, target: Ip, dport: int, port: int = 40000, flags: str = "A") -> Packet:
    """Return a packet that we sent."""
    flow = (Protocol.TCP, CLIENT, port, target, dport)
    return Packet(at=at, outgoing=True, source_mac=MAC, target_mac=MAC, flow=flow, flags=flags)


def strays(exchanges: Sequence[Exchange], *packets: Packet) -> list[tuple[tuple[Ip, int], ...] | None]:
    """Return the strays of each exchange."""
    return [exchange.strays for exchange in note(exchanges, packets)]


def test_a_packet_from_the_node_is_astray_once() -> None:
    """Its address and port are kept, each once, beside what the VIP sent; our RST to it changes nothing."""
    seen = strays(
        [asked()],
        went(10.001, VIP, 80, flags="S"),
        came(10.002, VIP, 80, flags="SA"),
        came(10.003, NODE),
        went(10.0031, NODE, 8080, flags="R"),
        came(10.004, NODE, flags="PA"),
    )

    assert seen == [((NODE, 8080),)]


def test_the_vips_other_port_is_astray_too() -> None:
    """An address translated back without its port is as useless to the client."""
    assert strays([asked()], came(10.1, VIP, 8080)) == [((VIP, 8080),)]


@pytest.mark.parametrize(
    "packets",
    [
        pytest.param((came(10.1, VIP, 80), came(10.2, VIP, 80, flags="FA")), id="the VIP's own"),
        pytest.param((came(10.1, NODE), went(9.0, NODE, 8080)), id="a connection of ours from the same port"),
        pytest.param((came(10.1, NODE, flags="S"),), id="a connection that somebody begins"),
        pytest.param((came(9.9, NODE),), id="before the exchange"),
        pytest.param((came(10.1, NODE, port=40001),), id="to another port of ours"),
        pytest.param((came(10.1, NODE, protocol=Protocol.UDP),), id="of another protocol"),
    ],
)
def test_what_belongs_to_something_else_is_no_stray(packets: tuple[Packet, ...]) -> None:
    """Looked, and nothing there."""
    assert strays([asked()], *packets) == [()]


def test_a_stray_belongs_to_the_exchange_that_used_the_port_last() -> None:
    """A source port that is used again, for another VIP too, starts anew."""
    first, second = asked(10.0), asked(20.0, vip=OTHER)

    assert strays([first, second], came(15.0, NODE)) == [((NODE, 8080),), ()]
    assert strays([second, first], came(25.0, NODE)) == [((NODE, 8080),), ()]


def test_an_exchange_without_a_port_has_none() -> None:
    """What never left this host got nothing back."""
    assert strays([replace(asked(), source=None, source_port=None)], came(10.1, NODE)) == [()]


def test_datagrams_and_ipv6_are_seen_alike() -> None:
    """UDP from the node's own address, and IPv6."""
    datagram = asked(protocol=Protocol.UDP)

    assert strays([datagram], came(10.1, NODE, flags="", protocol=Protocol.UDP)) == [((NODE, 8080),)]
    assert strays([asked(vip=VIP6)], came(10.1, NODE6)) == [((NODE6, 8080),)]


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        (IP(src=NODE, dst=CLIENT) / TCP(sport=8080, dport=40000), (6, 8080, 40000)),
        (IP(src=NODE, dst=CLIENT, options=b"\x01" * 8) / TCP(sport=8080, dport=40000), (6, 8080, 40000)),
        (IP(src=NODE, dst=CLIENT) / UDP(sport=53, dport=40000), (17, 53, 40000)),
        (IPv6(src=NODE6, dst=CLIENT6) / TCP(sport=8080, dport=40000), (6, 8080, 40000)),
        (IP(src=NODE, dst=CLIENT, frag=64) / TCP(sport=8080, dport=40000), None),
        (IP(src=NODE, dst=CLIENT, proto=50) / b"sealed", None),
        (ARP(), None),
    ],
    ids=["TCP", "with options", "UDP", "IPv6", "a later fragment", "another protocol", "ARP"],
)
def test_ends_are_read_from_bytes(layers: Layers, found: tuple[int, int, int] | None) -> None:
    """Without scapy, and as scapy would."""
    read = ends(bytes(HEAD / layers))

    assert (None if read is None else (read.source[0], read.source[2], read.target[2])) == found


@given(st.binary(max_size=90), st.sampled_from([b"\x08\x00", b"\x86\xdd", b"\x08\x06"]))
def test_any_bytes_are_read_without_an_error(data: bytes, kind: bytes) -> None:
    """Frames are untrusted: cut, absurd or empty ones tell nothing."""
    ends(data)
    ends(bytes(12) + kind + data)


def test_only_the_unexpected_is_worth_a_dissection() -> None:
    """Both ways: the VIP's own segments and those to other ports are left alone."""
    peers = expected([asked(), asked(11.0, vip=OTHER)])

    def wanted(layers: Layers, *, outgoing: bool = False) -> bool:
        return is_unexpected(Frame(at=1.0, outgoing=outgoing, data=bytes(HEAD / layers)), peers)

    assert wanted(IP(src=NODE, dst=CLIENT) / TCP(sport=8080, dport=40000, flags="A"))
    assert wanted(IP(src=CLIENT, dst=NODE) / TCP(sport=40000, dport=8080, flags="A"), outgoing=True)
    assert not wanted(IP(src=VIP, dst=CLIENT) / TCP(sport=80, dport=40000, flags="A"))
    assert not wanted(IP(src=OTHER, dst=CLIENT) / TCP(sport=80, dport=40000, flags="A"))
    assert not wanted(IP(src=NODE, dst=CLIENT) / TCP(sport=6443, dport=50000, flags="A"))
    assert not wanted(ARP())


class Arrived:
    """Stands for the raw socket, once."""

    def __init__(self, *layers: Layers) -> None:
        self._frames = [Frame(at=1.0, outgoing=False, data=bytes(HEAD / each)) for each in layers]

    def fileno(self) -> int:
        """Return no descriptor: nobody listens here."""
        return -1

    def frames(self) -> Iterator[Frame]:
        """Yield what has arrived."""
        arrived, self._frames = self._frames, []
        yield from arrived


def test_segments_inside_connections_are_found_among_the_bulk() -> None:
    """What tells nothing new in a healthy exchange is kept, and looked at when it came from elsewhere."""
    peers = expected([asked()])
    ways = ((VIP, 80), (VIP, 8080), (NODE, 8080))
    segments = [IP(src=ip, dst=CLIENT) / TCP(sport=port, dport=40000, flags="A") for ip, port in ways]
    kept = Recording(Arrived(*segments), dissect)

    found = kept.inside(lambda frame: is_unexpected(frame, peers))

    assert kept.traffic() == ()
    assert [packet.flow[1:3] for packet in found] == [(VIP, 8080), (NODE, 8080)]


class Listening(Arrived):
    """Stands for the raw socket, and remembers what it is to let through."""

    def __init__(self) -> None:
        super().__init__()
        self.interface = "eth0"
        self.watched: list[frozenset[Ip]] = []
        self._reader, self._writer = os.pipe()

    def fileno(self) -> int:
        """Return a descriptor that never becomes readable."""
        return self._reader

    def watch(self, addresses: Collection[Ip]) -> None:
        """Remember."""
        self.watched.append(frozenset(addresses))

    def close(self) -> None:
        """Close the descriptors."""
        os.close(self._reader)
        os.close(self._writer)


def test_backends_are_watched_as_far_as_the_filter_has_room() -> None:
    """What must be seen always is; of the rest only what keeps the filter from letting all traffic through."""
    listening = Listening()
    link = Link(index=2, name="eth0", mac=MAC, ethernet=True)
    backends = [Ip(f"10.244.0.{number}") for number in range(MAX_WATCHED)]
    with Wire(cast("Capture", listening), link) as wire:
        wire.watch([VIP, NODE], besides=backends)
        wire.watch([VIP])
        wire.watch([OTHER], besides=backends)

    first, second = listening.watched
    assert {VIP, NODE} < first
    assert len(first) == MAX_WATCHED
    assert second == first | {OTHER}


def test_a_flood_of_senders_is_bounded() -> None:
    """Whoever writes a thousand source ports into packets fills no report."""
    flood = [came(10.0 + number / 1e4, NODE, 1024 + number) for number in range(1000)]

    assert len(strays([asked()], *flood)[0] or ()) == MOST_STRAYS
