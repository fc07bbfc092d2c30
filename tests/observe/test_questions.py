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
from l2probe.observe.questions import checksum, neighbour_solicitation, packed_mac, source_for, to_one, who_has

OURS, THEIRS = Mac("02:00:00:00:00:64"), Mac("02:00:00:00:00:01")
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


@pytest.mark.parametrize("source", ["2001:db8:1::100", "fe80::64"])
@pytest.mark.parametrize("target", ["2001:db8:1::40", "2001:db8:1::ff:fe"])
def test_a_solicitation_to_one_goes_to_the_address_itself(source: str, target: str) -> None:
    """Ethernet and IPv6 destination are the one asked; hop limit and option stay, and the checksum is right."""
    frame = to_one(OURS, Ip(source), Ip(target), THEIRS)

    read = Ether(frame)
    assert (read.dst, read.src) == (THEIRS, OURS)
    assert (read[IPv6].src, read[IPv6].dst, read[IPv6].hlim) == (source, target, 255)
    assert read[ICMPv6ND_NS].tgt == target
    said = read[ICMPv6ND_NS].cksum
    del read[ICMPv6ND_NS].cksum
    assert Ether(bytes(read))[ICMPv6ND_NS].cksum == said


@given(V4, V4)
def test_an_arp_question_to_one_is_that_to_all_but_for_its_target(source: Ip, address: Ip) -> None:
    """Only the frame's destination differs; a solicitation without a source may not go to one (RFC 4861 7.1.1)."""
    frame = to_one(OURS, source, address, THEIRS)

    assert frame == packed_mac(THEIRS) + who_has(OURS, source, address)[6:]
    assert to_one(OURS, Ip("::"), Ip("2001:db8:1::40"), THEIRS) is None


def test_the_checksum_is_the_internets() -> None:
    """The example of RFC 1071, section 3."""
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF


def test_a_mac_is_six_octets() -> None:
    """From text to the wire."""
    assert packed_mac(THEIRS) == b"\x02\0\0\0\0\x01"
