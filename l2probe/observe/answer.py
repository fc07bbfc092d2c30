"""The echo protocol's questions and answers: proof that our own Pod spoke, and what it saw. Pure; input is untrusted.

One JSON object each way; HMAC-SHA256 with the run's secret on both, over a nonce, so that nobody can parrot an answer.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import io
from dataclasses import dataclass
from typing import Self

import msgspec

MIN_QUESTION_BYTES = 512
"""A question is at least this long, because its answer is never longer: the echo server cannot amplify."""
MAX_BODY_BYTES = 64 * 1024
MAX_HEAD_BYTES = 8 * 1024
END_OF_HEAD = b"\r\n\r\n"
LENGTH_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the Pod saw and who it is."""

    client: str
    port: int
    pod: str
    node: str


class _Answer(msgspec.Struct):
    nonce: str
    client: str
    client_port: int
    pod: str
    node: str
    bytes: int
    proof: str


def question(secret: bytes, nonce: str, length: int) -> bytes:
    """Return the body of a question, padded to `length` bytes, MIN_QUESTION_BYTES at least."""
    fields = {"l2probe": 1, "nonce": nonce, "proof": proof(secret, f"ask:{nonce}"), "pad": ""}
    missing = max(0, max(length, MIN_QUESTION_BYTES) - len(msgspec.json.encode(fields)))
    return msgspec.json.encode({**fields, "pad": "x" * missing})


def proof(secret: bytes, text: str) -> str:
    """Return the HMAC-SHA256 of a text, in hexadecimal."""
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def verified(secret: bytes, nonce: str, sent_bytes: int, body: bytes) -> Seen | None:
    """Return what an answer says if it proves the secret, answers this nonce, and the question arrived whole."""
    try:
        said = msgspec.json.decode(body, type=_Answer)
        text = f"answer:{said.nonce}|{said.client}|{said.client_port}|{said.pod}|{said.node}|{said.bytes}"
        expected, given = proof(secret, text).encode(), said.proof.encode()
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return None
    if said.nonce != nonce or said.bytes != sent_bytes or not hmac.compare_digest(expected, given):
        return None
    return Seen(client=said.client, port=said.client_port, pod=said.pod, node=said.node)


def http_request(host: str, body: bytes) -> bytes:
    """Return the question as an HTTP/1.1 request (RFC 9112)."""
    fields = (f"Host: {host}", "Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close")
    return "\r\n".join(("POST /l2probe HTTP/1.1", *fields, "", "")).encode() + body


def http_body(received: bytes) -> bytes | None:
    """Return the body of a complete HTTP response; None while it is incomplete. Raises ValueError when it is none."""
    head, end, body = received.partition(END_OF_HEAD)
    if not end:
        if len(received) > MAX_HEAD_BYTES or not _may_be_http(received):
            raise ValueError("it was not HTTP")
        return None
    length = _content_length(head)
    return body[:length] if len(body) >= length else None


def http_bodies(received: bytes, number: int) -> tuple[bytes, ...] | None:
    """Return the bodies of so many complete HTTP responses, one behind the other, chunked ones too (RFC 9112, 7.1).

    None while they are incomplete. Raises ValueError when one is none, is no 200, or does not say where it ends.
    """
    if len(received) > number * (MAX_BODY_BYTES + MAX_HEAD_BYTES):
        raise ValueError(f"it was longer than {MAX_BODY_BYTES} bytes")
    stream = _Stream(received)
    bodies: list[bytes] = []
    while len(bodies) < number:
        rest = received[stream.tell() :]
        if END_OF_HEAD not in rest:
            if len(rest) > MAX_HEAD_BYTES or not _may_be_http(rest):
                raise ValueError("it was not HTTP")
            return None
        try:
            bodies.append(_body(stream))
        except http.client.IncompleteRead:
            return None
        except http.client.HTTPException as error:
            raise ValueError(f"it was not HTTP: {error!r:.80}") from error
    return tuple(bodies)


class _Stream(io.BytesIO):
    """What was received, in the place of a socket for the standard library's reader, which closes what it has read."""

    def makefile(self, _: str) -> Self:
        """Return itself."""
        return self

    def close(self) -> None:
        """Stay open: another response may follow."""


def _body(stream: _Stream) -> bytes:
    reply = http.client.HTTPResponse(stream)  # type: ignore[arg-type]  # it asks a socket for makefile alone
    reply.begin()
    if reply.status != http.HTTPStatus.OK:
        raise ValueError(f"its status was {reply.status}")
    if reply.length is None and not reply.chunked:
        raise ValueError("it did not say where it ends")
    if (reply.length or 0) > MAX_BODY_BYTES:
        raise ValueError(f"its Content-Length was {reply.length}")
    return reply.read()


def _may_be_http(received: bytes) -> bool:
    start = b"HTTP/1."
    return received.startswith(start) or start.startswith(received)


def _content_length(head: bytes) -> int:
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1.") or lines[0].split(" ")[1:2] != ["200"]:
        raise ValueError(f"it began with {lines[0][:60]!r}")
    fields = (line.partition(":") for line in lines[1:])
    text = next((value.strip() for name, _, value in fields if name.strip().lower() == "content-length"), "")
    if not text.isascii() or not text.isdigit() or len(text) > LENGTH_DIGITS or int(text) > MAX_BODY_BYTES:
        raise ValueError(f"its Content-Length was {text[:20]!r}")
    return int(text)
