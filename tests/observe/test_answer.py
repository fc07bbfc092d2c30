"""The echo protocol: only our Pod can answer, and nothing that anybody sends breaks the reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2probe.observe import answer
from l2probe.workload.echo import Echo

SECRET = bytes(range(16))
NONCE = "0123456789abcdef" * 2
SERVER = Echo(SECRET, "echo-1", "node-1")


def real(length: int = 600) -> bytes:
    """Return what the real server answers to a question of this length."""
    body = SERVER.answer(answer.question(SECRET, NONCE, length), "::ffff:198.51.100.100", 40000)
    assert body is not None
    return body


@pytest.mark.parametrize("length", [0, 100, 511, 512, 513, 1400, 9000])
def test_a_question_is_as_long_as_asked_and_never_too_short_to_answer(length: int) -> None:
    """Padded to the byte; the server can answer every one, no longer than it was asked."""
    question = answer.question(SECRET, NONCE, length)

    assert len(question) == max(length, answer.MIN_QUESTION_BYTES)
    assert len(real(length)) <= len(question)


def test_the_real_servers_answer_is_believed() -> None:
    """Client and oneself in its words; an IPv4-mapped client is plain."""
    seen = answer.verified(SECRET, NONCE, 600, real())

    assert seen == answer.Seen(client="198.51.100.100", port=40000, pod="echo-1", node="node-1")


def test_the_server_keeps_silent_without_the_secret() -> None:
    """A question with another secret proves nothing."""
    assert SERVER.answer(answer.question(b"another secret..", NONCE, 600), "198.51.100.100", 1) is None


def test_lies_are_not_believed() -> None:
    """Another secret, an old answer, a question that did not arrive whole, or one changed field: no proof."""
    assert answer.verified(b"x" * 16, NONCE, 600, real()) is None
    assert answer.verified(SECRET, "f" * 32, 600, real()) is None
    assert answer.verified(SECRET, NONCE, 601, real()) is None
    said: dict[str, Any] = json.loads(real())
    for name, value in {"client": "192.0.2.1", "client_port": 1, "pod": "x", "node": "x", "nonce": "f" * 32}.items():
        assert answer.verified(SECRET, NONCE, 600, json.dumps({**said, name: value}).encode()) is None, name


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"nonce": 1}',
        b"[" * 50_000,
        b'{"a":' * 50_000,
        b"\xff\xfe",
        b'"' + b"\\ud800" * 10,
    ],
)
def test_nonsense_is_no_answer(body: bytes) -> None:
    """However deep, short or badly encoded."""
    assert answer.verified(SECRET, NONCE, 600, body) is None


def test_lone_surrogates_in_a_well_formed_answer() -> None:
    """Text that cannot be encoded again is no proof and no crash."""
    said = json.loads(real())
    body = json.dumps({**said, "pod": "\ud800", "proof": "\udfff"}).encode()

    assert answer.verified(SECRET, NONCE, 600, body) is None


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_break_the_verification(body: bytes) -> None:
    """Any bytes are no proof."""
    assert answer.verified(SECRET, NONCE, 600, body) is None


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: "]))
def test_no_bytes_break_the_http_reader(rest: bytes, start: bytes) -> None:
    """Any bytes are an incomplete answer, a body, or none (ValueError)."""
    try:
        body = answer.http_body(start + rest)
    except ValueError:
        return
    assert body is None or len(body) <= len(rest)


@pytest.mark.parametrize(
    ("received", "body"),
    [
        (b"", None),
        (b"HT", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.0 200 OK\r\ncontent-length:3\r\n\r\nabcdef", b"abc"),
    ],
)
def test_http_answers_are_read_as_they_come(received: bytes, body: bytes | None) -> None:
    """Incomplete ones wait for more."""
    assert answer.http_body(received) == body


@pytest.mark.parametrize(
    ("received", "says"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "404 Not Found"),
        (b"HTTP/1.1 200 OK\r\n\r\n", "Content-Length was ''"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "Content-Length was '-1'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n", "Content-Length was"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n", "Content-Length was"),
        (b"HTTP/1.1 200" + b"x" * 9000, "not HTTP"),
    ],
)
def test_what_is_no_answer_is_told_at_once(received: bytes, says: str) -> None:
    """Another protocol, another status, a length that is none or too long, a head without end."""
    with pytest.raises(ValueError, match=says):
        answer.http_body(received)
