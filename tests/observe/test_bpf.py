"""The kernel's filter passes what may concern us and nothing else: run by the kernel itself, on a socket pair."""

from __future__ import annotations

import ctypes
import ipaddress
import socket
import struct
from collections.abc import Collection

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet as Layers

from l2probe.model import Ip
from l2probe.observe import bpf
from tests.observe import captures

SO_ATTACH_FILTER = 26
SMALLEST_OPTMEM_MAX = 20_480
"""Bytes; the kernel's own form of a program is about twice as long as ours."""
FRAME = Ether(src="02:00:00:00:00:0a", dst="02:00:00:00:00:0b")
US, VIP, OTHER = "198.51.100.100", Ip("198.51.100.40"), "198.51.100.99"
US6, VIP6, OTHER6 = "2001:db8:1::100", Ip("2001:db8:1::40"), "2001:db8:1::99"


def passes(frame: Layers | bytes, addresses: Collection[Ip]) -> bool:
    """Send the frame through a socket that has the filter attached; a datagram socket filters what it receives."""
    program = bpf.program(addresses)
    code = ctypes.create_string_buffer(program, len(program))
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, receiver:
        header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
        receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, header)
        receiver.setblocking(False)
        try:
            sender.send(bytes(frame))
            return receiver.recv(65535) == bytes(frame)
        except (BlockingIOError, PermissionError):
            return False


ALWAYS = {
    "ARP": FRAME / ARP(),
    "unreachable": FRAME / IP(src=OTHER, dst=US) / ICMP(type=3) / IP(src=US, dst=VIP) / UDP(),
    "unreachable after options": FRAME / IP(src=OTHER, dst=US, options=b"\x01" * 8) / ICMP(type=3),
    "ICMPv6 unreachable": FRAME / IPv6(src=OTHER6, dst=US6) / ICMPv6DestUnreach(),
    "packet too big": FRAME / IPv6(src=OTHER6, dst=US6) / ICMPv6PacketTooBig(),
    "solicitation": FRAME / IPv6(src=OTHER6, dst=US6) / ICMPv6ND_NS(tgt=US6),
    "advertisement": FRAME / IPv6(src=OTHER6, dst=US6) / ICMPv6ND_NA(tgt=OTHER6),
}
WATCHED = {
    "TCP to": FRAME / IP(src=US, dst=VIP) / TCP(),
    "TCP from": FRAME / IP(src=VIP, dst=US) / TCP(),
    "UDP to": FRAME / IP(src=US, dst=VIP) / UDP(),
    "TCP6 to": FRAME / IPv6(src=US6, dst=VIP6) / TCP(),
    "UDP6 from": FRAME / IPv6(src=VIP6, dst=US6) / UDP(),
}
NEVER = {
    "TCP to another": FRAME / IP(src=US, dst=OTHER) / TCP(),
    "TCP6 to another": FRAME / IPv6(src=US6, dst=OTHER6) / TCP(),
    "echo": FRAME / IP(src=VIP, dst=US) / ICMP(type=8),
    "ICMPv6 echo": FRAME / IPv6(src=VIP6, dst=US6) / ICMPv6EchoRequest(),
    "LLDP": Ether(src=FRAME.src, dst=FRAME.dst, type=0x88CC) / (b"x" * 50),
    "VLAN": FRAME / Dot1Q(vlan=5) / ARP(),
    "short": b"\x00" * 13,
    "cut in its header": bytes(FRAME / IP(src=US, dst=VIP) / TCP())[:28],
    "empty": b"\x00",
}


@pytest.mark.parametrize("case", ALWAYS)
def test_neighbours_and_errors_pass_always(case: str) -> None:
    """ARP, neighbour discovery and ICMP errors, even when nothing is watched."""
    assert passes(ALWAYS[case], ())


@pytest.mark.parametrize("case", WATCHED)
def test_watched_addresses_pass_and_unwatched_do_not(case: str) -> None:
    """IP packets of a VIP pass once it is watched, in both directions and families."""
    assert passes(WATCHED[case], (VIP, VIP6))
    assert not passes(WATCHED[case], ())


@pytest.mark.parametrize("case", NEVER)
def test_everything_else_stays_in_the_kernel(case: str) -> None:
    """Other hosts' traffic, echo, other VLANs, other protocols and broken frames."""
    assert not passes(NEVER[case], (VIP, VIP6))


def test_one_of_many_addresses_is_found() -> None:
    """Each of a hundred watched addresses of both families passes, its neighbour does not."""
    many = [Ip(str(ipaddress.ip_address("198.51.100.0") + n)) for n in range(1, 51)]
    many += [Ip(str(ipaddress.ip_address("2001:db8:1::") + n)) for n in range(1, 51)]

    assert all(passes(FRAME / IP(src=US, dst=vip) / TCP(), many) for vip in many[:50:7])
    assert all(passes(FRAME / IPv6(src=US6, dst=vip) / TCP(), many) for vip in many[50::7])
    assert not passes(FRAME / IP(src="203.0.113.1", dst="198.51.100.51") / TCP(), many)
    assert not passes(FRAME / IPv6(src=US6, dst="2001:db8:1::33") / TCP(), many)


def test_too_many_addresses_pass_all_ip() -> None:
    """Beyond the bound the filter is coarse rather than refused by the kernel."""
    many = [Ip(f"10.0.{n // 250}.{n % 250}") for n in range(1000)]

    assert passes(FRAME / IP(src=US, dst=OTHER) / TCP(), many)
    assert not passes(NEVER["echo"], many)
    assert not passes(NEVER["LLDP"], many)


def test_the_longest_program_fits_the_kernel() -> None:
    """Twice (the old one stays until the new one is in) it takes less than the smallest usual optmem_max."""
    many = [Ip(str(ipaddress.ip_address("2001:db8::") + n)) for n in range(bpf.MAX_WATCHED)]

    assert 2 * 2 * len(bpf.program(many)) < SMALLEST_OPTMEM_MAX
    assert passes(FRAME / IPv6(src=US6, dst=many[-1]) / UDP(), many)


@pytest.mark.parametrize("name", ["announce-first", "arp-resolve"])
def test_recorded_announcements_pass(name: str) -> None:
    """What MetalLB and the kernel really send."""
    assert all(passes(frame.data, ()) for frame in captures.frames(name))
