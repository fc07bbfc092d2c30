"""The frames that ask are byte for byte those that scapy's layers make, whatever the address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

from l2probe.model import Ip, Mac
from l2probe.observe.netlink import Address
from l2probe.observe.questions import neighbour_solicitation, source_for, who_has

OURS = Mac("02:00:00:00:00:64")
V4 = st.integers(0, 2**32 - 1).map(lambda number: Ip(str(IPv4Address(number))))
V6 = st.integers(0, 2**128 - 1).map(lambda number: Ip(str(IPv6Address(number))))


@given(V4, V4)
def test_who_has_is_arp(source: Ip, address: Ip) -> None:
    """RFC 826, broadcast."""
    arp = ARP(op=1, hwsrc=OURS, psrc=source, hwdst="00:00:00:00:00:00", pdst=address)

    assert who_has(OURS, source, address) == bytes(Ether(src=OURS, dst="ff:ff:ff:ff:ff:ff", type=0x0806) / arp)


@given(V6 | st.just(Ip("::")), V6)
def test_a_solicitation_is_neighbour_discovery(source: Ip, address: Ip) -> None:
    """RFC 4861, to the solicited-node group, with its checksum; without a source there is no option."""
    tail = IPv6Address(address).packed[-3:]
    group = str(IPv6Address(bytes.fromhex("ff0200000000000000000001ff") + tail))
    frame = Ether(src=OURS, dst=f"33:33:ff:{tail.hex(':')}", type=0x86DD) / IPv6(src=source, dst=group, hlim=255)
    body = ICMPv6ND_NS(tgt=address)
    whole = frame / body if source == "::" else frame / body / ICMPv6NDOptSrcLLAddr(lladdr=OURS)

    assert neighbour_solicitation(OURS, source, address) == bytes(whole)


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("198.51.100.7", "198.51.100.100"),
        ("203.0.113.7", "0.0.0.0"),
        ("2001:db8:1::7", "2001:db8:1::100"),
        ("2001:db8:2::7", "fe80::64"),
    ],
)
def test_we_ask_from_the_subnet_of_the_address(address: str, source: str) -> None:
    """An address of ours elsewhere would teach the segment something false; then ARP claims nothing (RFC 5227)."""
    ours = [
        Address(index=1, ip=Ip(ip), prefix=prefix)
        for ip, prefix in (("198.51.100.100", 24), ("2001:db8:1::100", 64), ("fe80::64", 64))
    ]

    assert source_for(ours)(Ip(address)) == source
