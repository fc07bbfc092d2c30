"""Unicast questions: their bytes, checked against an independent dissector."""

from __future__ import annotations

import pytest
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import Ether

from l2probe.diagnose.solicitor import to_one
from l2probe.model import Ip, Mac
from l2probe.observe.questions import checksum, neighbour_solicitation, packed_mac

OURS, THEIRS = Mac("02:00:00:00:00:64"), Mac("02:00:00:00:00:01")


@pytest.mark.parametrize("source", ["2001:db8:1::100", "fe80::64"])
@pytest.mark.parametrize("target", ["2001:db8:1::40", "2001:db8:1::ff:fe"])
def test_a_solicitation_goes_to_the_address_itself(source: str, target: str) -> None:
    """Ethernet and IPv6 destination are the one asked; hop limit and option stay, and the checksum is right."""
    frame = to_one(neighbour_solicitation(OURS, Ip(source), Ip(target)), Ip(target), THEIRS)

    read = Ether(frame)
    assert (read.dst, read.src) == (THEIRS, OURS)
    assert (read[IPv6].src, read[IPv6].dst, read[IPv6].hlim) == (source, target, 255)
    assert read[ICMPv6ND_NS].tgt == target
    said = read[ICMPv6ND_NS].cksum
    del read[ICMPv6ND_NS].cksum
    assert Ether(bytes(read))[ICMPv6ND_NS].cksum == said


def test_the_checksum_is_the_internets() -> None:
    """The example of RFC 1071, section 3."""
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == ~0xDDF2 & 0xFFFF


def test_a_mac_is_six_octets() -> None:
    """From text to the wire."""
    assert packed_mac(THEIRS) == b"\x02\0\0\0\0\x01"
