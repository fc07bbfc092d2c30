"""A sweep keeps every frame that tells of an address, believes no malformed one, and ends when all have told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Packet

from l2probe.errors import WireError
from l2probe.model import Ip
from l2probe.observe.capture import Frame
from l2probe.observe.questions import packed_ip
from l2probe.observe.sweep import read, sweep
from tests.observe.test_wire import play

US, NODE, OTHER = "02:00:00:00:00:64", "02:00:00:00:00:01", "02:00:00:00:00:02"
ALL = "ff:ff:ff:ff:ff:ff"
VIP, VIP6 = Ip("198.51.100.40"), Ip("2001:db8:1::40")
KNOWN = {packed_ip(address): address for address in (VIP, VIP6)}


def na(*options: Packet, **fields: object) -> Packet:
    """Return a neighbour advertisement for the VIP."""
    frame = Ether(src=NODE, dst=US) / IPv6(src=VIP6, dst="2001:db8:1::100", **{"hlim": 255, **fields})
    frame /= ICMPv6ND_NA(tgt=VIP6, S=1, O=1)
    for option in options:
        frame /= option
    return frame


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (Ether(src=NODE, dst=US) / ARP(op=2, hwsrc=NODE, psrc=VIP), (VIP, NODE, "reply", True, "broadcast")),
        (Ether(src=NODE, dst=US) / ARP(op=2, hwsrc=OTHER, psrc=VIP), (VIP, OTHER, "reply", True, "broadcast")),
        (Ether(src=NODE, dst=ALL) / ARP(op=2, hwsrc=NODE, psrc=VIP), (VIP, NODE, "reply", False, None)),
        (Ether(src=NODE, dst=ALL) / ARP(op=1, hwsrc=NODE, psrc=VIP), (VIP, NODE, "request", False, None)),
        (Ether(src=NODE, dst=US) / ARP(op=2, hwsrc=NODE, psrc="198.51.100.41"), None),
        (Ether(src=NODE, dst=US) / ARP(op=3, hwsrc=NODE, psrc=VIP), None),
        (Ether(src=NODE, dst=US) / ARP(op=2, hwtype=6, hwsrc=NODE, psrc=VIP), None),
        (na(ICMPv6NDOptDstLLAddr(lladdr=OTHER)), (VIP6, OTHER, "advertisement", True, "multicast")),
        (na(), (VIP6, NODE, "advertisement", True, "multicast")),
        (na(hlim=64), None),
    ],
)
def test_what_a_frame_tells(frame: Packet, told: tuple[object, ...] | None) -> None:
    """Who has the address by the frame's own word, and whether we had asked; what a router forwarded tells nothing."""
    found = read(Frame(at=1.0, outgoing=False, data=bytes(frame)), KNOWN)

    assert (found and (found.ip, found.mac, found.op, found.solicited, found.asked)) == told


def test_what_we_sent_ourselves_tells_nothing() -> None:
    """The socket may hear its own host."""
    frame = Ether(src=NODE, dst=US) / ARP(op=2, hwsrc=NODE, psrc=VIP)

    assert read(Frame(at=1.0, outgoing=True, data=bytes(frame)), KNOWN) is None


@given(st.binary(max_size=120), st.integers(0, 120))
def test_no_octets_are_too_odd(noise: bytes, cut: int) -> None:
    """Frames are untrusted: cut, long or wild ones are read without an exception."""
    whole = bytes(na(ICMPv6NDOptDstLLAddr(lladdr=OTHER)))
    arp = bytes(Ether(src=NODE, dst=US) / ARP(op=2, hwsrc=NODE, psrc=VIP))
    for data in (noise, whole[:cut], whole[:78] + noise, arp[:cut], arp[:20] + noise):
        read(Frame(at=1.0, outgoing=False, data=data), KNOWN)


def test_nothing_asked_opens_nothing() -> None:
    """An empty sweep needs no interface."""
    assert sweep("no-such-interface", (), linger=1.0) == ()


def test_an_interface_that_is_none_is_an_error() -> None:
    """The message names it."""
    with pytest.raises(WireError, match="nowhere0"):
        sweep("nowhere0", (VIP,), linger=0.1)


@pytest.mark.lab
def test_a_segment_is_swept() -> None:
    """Every answerer is heard in both families, two of one address apart, and silence costs the linger alone."""
    found = play("sweeps")

    assert {(reply["ip"], reply["mac"]) for reply in found["replies"]} >= {
        ("198.51.100.11", "02:00:00:00:00:01"),
        ("2001:db8:1::11", "02:00:00:00:00:01"),
        ("198.51.100.41", "02:00:00:00:00:01"),
        ("198.51.100.41", "02:00:00:00:00:02"),
        ("2001:db8:1::41", "02:00:00:00:00:02"),
    }
    assert "198.51.100.44" not in {reply["ip"] for reply in found["replies"]}
    assert found["all_told_seconds"] < found["linger"] <= found["one_silent_seconds"]


@pytest.mark.lab
def test_one_machine_is_asked_alone() -> None:
    """What it says is an answer to a question to it alone; all that an audit may ask so take no more than seconds."""
    found = play("alone")

    told = {(reply["ip"], reply["mac"], reply["asked"]) for reply in found["replies"] if reply["solicited"]}
    assert told >= {
        ("198.51.100.40", "02:00:00:00:00:01", "unicast"),
        ("2001:db8:1::40", "02:00:00:00:00:01", "unicast"),
        ("198.51.100.41", "02:00:00:00:00:01", "unicast"),
    }
    assert all(mac == "02:00:00:00:00:01" for _, mac, asked in told if asked == "unicast")
    assert "198.51.100.44" not in {reply["ip"] for reply in found["replies"]}
    assert found["seconds"] < 3.0
