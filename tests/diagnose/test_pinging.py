"""Echo requests and their answers, as bytes and on the loopback."""

from __future__ import annotations

import pytest

from l2probe.diagnose.pinging import is_answer, ping, request
from l2probe.model import Ip
from l2probe.observe.questions import checksum

TOKEN = b"12345678"
V4_REPLY = b"\x00\x00\x00\x00\x00\x00\x00\x01" + TOKEN
V6_REPLY = b"\x81\x00\x00\x00\x00\x00\x00\x01" + TOKEN
IP_HEADER = b"\x45" + bytes(19)


def test_a_request_is_an_echo_with_a_true_checksum() -> None:
    """Type 8 with RFC 1071's checksum for IPv4; type 128 for IPv6, whose checksum the kernel fills in."""
    assert request(4, TOKEN)[0] == 8
    assert checksum(request(4, TOKEN)) == 0
    assert request(6, TOKEN)[:4] == b"\x80\x00\x00\x00"


@pytest.mark.parametrize(
    ("message", "version", "answer"),
    [
        (V4_REPLY, 4, True),
        (IP_HEADER + V4_REPLY, 4, True),
        (V6_REPLY, 6, True),
        (V4_REPLY[:-1] + b"9", 4, False),
        (request(4, TOKEN), 4, False),
        (b"", 4, False),
        (b"\x45", 4, False),
    ],
)
def test_only_our_own_answer_counts(message: bytes, version: int, *, answer: bool) -> None:
    """Our request come back, another's answer and rubbish are none."""
    assert is_answer(message, version, TOKEN) is answer


def test_the_loopback_answers() -> None:
    """A real kernel answers each request; one that may not be sent at all gives nothing, or says why."""
    found = ping([Ip("127.0.0.1")])

    assert all(each.answered for each in found)
    assert ping([]) == ()
