"""The frames that a responder reads and writes, byte for byte; no kernel here."""

from __future__ import annotations

import socket
import struct

import pytest

from l2probe.lab.responder import arp_answer, gratuitous_arp, ndp_answer, unsolicited_advertisement
from tests.lab.world.stage import CLIENT6, VIP4, VIP6, solicit, who_has

MAC = bytes.fromhex("020000000001")
OWNED4, OWNED6 = {socket.inet_aton(VIP4)}, {socket.inet_pton(socket.AF_INET6, VIP6)}


def changed(frame: bytes, at: int, value: bytes) -> bytes:
    """Return the frame with other bytes at a place."""
    return frame[:at] + value + frame[at + len(value) :]


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        who_has(VIP4)[:41],
        who_has("198.51.100.41"),
        who_has(VIP4, to="02:00:00:00:00:02"),
        changed(who_has(VIP4), 20, b"\x00\x02"),
        changed(who_has(VIP4), 14, b"\x00\x06"),
    ],
    ids=["empty", "short", "other address", "other machine", "a reply", "not Ethernet"],
)
def test_what_is_no_question_for_us_gets_no_answer(frame: bytes) -> None:
    """Only a complete who-has for an owned address, broadcast or sent to us, is answered."""
    assert arp_answer(frame, MAC, OWNED4) is None


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        solicit(VIP6)[:77],
        solicit("2001:db8:1::41"),
        solicit(VIP6, to="02:00:00:00:00:02"),
        changed(solicit(VIP6), 21, b"\x40"),
        changed(solicit(VIP6), 54, b"\x88"),
    ],
    ids=["empty", "short", "other address", "other machine", "from afar", "an advertisement"],
)
def test_what_is_no_solicitation_for_us_gets_no_advertisement(frame: bytes) -> None:
    """RFC 4861 7.1.1: hop limit 255 proves that the asker is on the link; everything else is ignored."""
    assert ndp_answer(frame, MAC, OWNED6) is None


def valid(frame: bytes) -> bool:
    """Say whether the ICMPv6 checksum of a frame is right (RFC 4443 2.3): summed with itself it gives all ones."""
    icmp = frame[54:]
    words = frame[22:54] + struct.pack("!II", len(icmp), 58) + icmp
    total: int = sum(struct.unpack(f"!{len(words) // 2}H", words))
    return total % 0xFFFF == 0


def test_advertisements_have_a_right_checksum() -> None:
    """Every advertisement that we build would be accepted by a kernel."""
    answer = ndp_answer(solicit(VIP6), MAC, OWNED6)
    assert answer is not None

    assert valid(answer)
    assert valid(unsolicited_advertisement(MAC, next(iter(OWNED6))))


def test_duplicate_address_detection_is_answered_to_everyone() -> None:
    """RFC 4861 7.2.4: an asker without address gets its answer at ff02::1, unsolicited."""
    asked = changed(solicit(VIP6), 22, bytes(16))

    answer = ndp_answer(asked, MAC, OWNED6)

    assert answer is not None
    assert answer[:6].hex(":") == "33:33:00:00:00:01"
    assert answer[38:54] == socket.inet_pton(socket.AF_INET6, "ff02::1")
    assert answer[58] == 0x20
    assert valid(answer)


def test_an_answer_goes_to_the_asker() -> None:
    """A solicited advertisement is from the VIP to the client's address and MAC."""
    answer = ndp_answer(solicit(VIP6), MAC, OWNED6)

    assert answer is not None
    assert answer[:6].hex(":") == "02:00:00:00:00:64"
    assert answer[22:38] == socket.inet_pton(socket.AF_INET6, VIP6)
    assert answer[38:54] == socket.inet_pton(socket.AF_INET6, CLIENT6)
    assert answer[58] == 0x60


def test_gratuitous_arp_is_a_reply_from_the_vip_to_itself() -> None:
    """Cilium's gneigh sends op 2, both addresses the VIP, the target MAC broadcast."""
    frame = gratuitous_arp(MAC, socket.inet_aton(VIP4))

    assert frame[:6] == frame[32:38] == b"\xff" * 6
    assert frame[20:22] == b"\x00\x02"
    assert frame[28:32] == frame[38:42] == socket.inet_aton(VIP4)
