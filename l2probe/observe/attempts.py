"""One exchange that carries the run's secret: a question, and an answer that only our Pod can give."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from dataclasses import dataclass, replace
from functools import partial

from l2probe.model import Exchange, Ip, NodeName, Outcome, Protocol
from l2probe.observe import answer, steps
from l2probe.observe.steps import READ, WRITE, OverError, Steps, Waiting, WrongError

CHUNK_BYTES = 64 * 1024
NONCE_BYTES = 16
MAX_WRONG = 64
"""After so many foreign datagrams nobody waits for ours: a flood must not outlast the time of an exchange."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to put to a VIP: `payload_bytes` of TCP or UDP payload, answered within `timeout` seconds."""

    protocol: Protocol
    vip: Ip
    port: int
    payload_bytes: int
    timeout: float = 1.5


def attempt(request: Request, secret: bytes) -> Steps:
    """Return the steps of one exchange with a fresh nonce and source port."""
    nonce = secrets.token_hex(NONCE_BYTES)
    body = answer.question(secret, nonce, request.payload_bytes)
    blank = steps.begun(request.protocol, request.vip, request.port, len(body))
    reader = _Reader(secret, nonce, len(body))
    return (yield from steps.attempt(blank, partial(_talk, blank, body, reader)))


def _talk(blank: Exchange, body: bytes, reader: _Reader, sock: socket.socket) -> Steps:
    talk = _tcp if blank.protocol is Protocol.TCP else _udp
    seen = yield from talk(sock, blank, body, reader)
    return replace(blank, seen=_plain(seen.client), pod=seen.pod, node=NodeName(seen.node))


def _plain(client: str) -> Ip:
    """Return the client address that our Pod reported, in canonical form."""
    address = ipaddress.ip_address(client.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return Ip(str(mapped or address))


class _Reader:
    """Verifies answers to one question."""

    def __init__(self, secret: bytes, nonce: str, sent_bytes: int) -> None:
        self._secret = secret
        self._nonce = nonce
        self._sent_bytes = sent_bytes

    def seen(self, body: bytes) -> answer.Seen | None:
        """Return what a proven answer says; None when it is not proven or makes no sense."""
        found = answer.verified(self._secret, self._nonce, self._sent_bytes, body)
        try:
            return found if found is not None and _plain(found.client) else None
        except ValueError:
            return None


def _tcp(sock: socket.socket, blank: Exchange, body: bytes, reader: _Reader) -> Waiting[answer.Seen]:
    yield from steps.connected(sock, blank.vip, blank.port)
    host = f"[{blank.vip}]" if ":" in blank.vip else blank.vip
    unsent = memoryview(answer.http_request(host, body))
    while unsent:
        if not (yield sock, WRITE):
            raise OverError(f"connected, {len(unsent)} bytes could not be sent")
        unsent = unsent[sock.send(unsent) :]
    return (yield from _http_answer(sock, reader))


def _http_answer(sock: socket.socket, reader: _Reader) -> Waiting[answer.Seen]:
    received = b""
    while True:
        if not (yield sock, READ):
            came = f"only {len(received)} bytes came back" if received else "no answer came"
            raise OverError(f"connected, but {came}")  # a part of an answer accuses nobody: the rest may be lost
        chunk = _receive(sock)
        if chunk is None:
            continue
        received += chunk
        try:
            body = answer.http_body(received)
        except ValueError as error:
            raise WrongError(Outcome.WRONG_ANSWER, str(error)) from error
        if body is not None:
            seen = reader.seen(body)
            if seen is None:
                raise WrongError(Outcome.WRONG_ANSWER, "the answer did not prove that our Pod gave it")
            return seen
        if not chunk:
            raise WrongError(Outcome.RESET, f"the connection was closed after {len(received)} bytes")


def _udp(sock: socket.socket, blank: Exchange, body: bytes, reader: _Reader) -> Waiting[answer.Seen]:
    sock.connect((blank.vip, blank.port))
    sock.send(body)
    wrong = 0
    while True:
        if wrong >= MAX_WRONG or not (yield sock, READ):
            if wrong:
                raise WrongError(Outcome.WRONG_ANSWER, f"{wrong} answers did not prove that our Pod gave them")
            raise OverError("no answer came")
        datagram = _receive(sock)
        if datagram is None:
            continue
        seen = reader.seen(datagram)
        if seen is not None:
            return seen
        wrong += 1


def _receive(sock: socket.socket) -> bytes | None:
    """Receive some bytes; None when the kernel woke us for a datagram that it then found to be damaged."""
    try:
        return sock.recv(CHUNK_BYTES)
    except BlockingIOError:
        return None
