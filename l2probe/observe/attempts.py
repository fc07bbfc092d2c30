"""One exchange as a generator: it yields what it waits for and returns what came of it. It knows no event loop."""

from __future__ import annotations

import errno
import ipaddress
import secrets
import selectors
import socket
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TypeAlias

from l2probe.model import Exchange, Ip, NodeName, Outcome, Protocol
from l2probe.observe import answer, netlink
from l2probe.observe.sockets import open_socket, trouble_of

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
CHUNK_BYTES = 64 * 1024
NONCE_BYTES = 16
MAX_WRONG = 64
"""After so many foreign datagrams nobody waits for ours: a flood must not outlast the time of an exchange."""

Steps: TypeAlias = Generator[tuple[socket.socket, int], bool, Exchange]
"""Yields a socket and the events it waits for; is sent True when they came, False when the time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question to put to a VIP: `payload_bytes` of TCP or UDP payload, answered within `timeout` seconds."""

    protocol: Protocol
    vip: Ip
    port: int
    payload_bytes: int
    timeout: float = 1.5


class _OverError(Exception):
    """The time is over."""


class _WrongError(Exception):
    """Somebody else than our Pod answered, or not the whole answer came."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome


def attempt(request: Request, secret: bytes) -> Steps:
    """Return the steps of one exchange with a fresh nonce and source port."""
    nonce = secrets.token_hex(NONCE_BYTES)
    body = answer.question(secret, nonce, request.payload_bytes)
    blank = Exchange(
        at=time.time(),
        protocol=request.protocol,
        vip=request.vip,
        port=request.port,
        outcome=Outcome.TIMEOUT,
        payload_bytes=len(body),
    )
    began = time.monotonic()
    try:
        sock = open_socket(request.protocol, request.vip)
    except OSError as error:
        return replace(blank, outcome=Outcome.NO_NEIGHBOUR, detail=error.strerror or "", unsent=True)
    with sock:
        talk = _tcp if request.protocol is Protocol.TCP else _udp
        try:
            received = yield from talk(sock, request, body, _Reader(secret, nonce, len(body)))
        except _OverError as over:
            ended = silent(blank, str(over))
        except _WrongError as wrong:
            ended = replace(blank, outcome=wrong.outcome, detail=str(wrong))
        except OSError as error:
            trouble = trouble_of(sock, error, request.vip, blank.payload_bytes)
            ended = replace(
                blank, outcome=trouble.outcome, detail=trouble.detail, icmp=trouble.icmp, unsent=trouble.unsent
            )
        else:
            ended = _answered(blank, received, time.monotonic() - began)
        return with_source(ended, sock)


def _answered(blank: Exchange, seen: answer.Seen, latency: float) -> Exchange:
    return replace(
        blank,
        outcome=Outcome.ANSWERED,
        seen=_plain(seen.client),
        pod=seen.pod,
        node=NodeName(seen.node),
        latency_seconds=latency,
    )


def _plain(client: str) -> Ip:
    """Return the client address that our Pod reported, in canonical form."""
    address = ipaddress.ip_address(client.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return Ip(str(mapped or address))


def silent(blank: Exchange, detail: str) -> Exchange:
    """Return a timeout, or NO_NEIGHBOUR when the kernel still waits for somebody to answer ARP or NDP."""
    hop = netlink.unresolved(blank.vip)
    if hop is None:
        return replace(blank, detail=detail)
    return replace(blank, outcome=Outcome.NO_NEIGHBOUR, detail=f"nobody answered for {hop}")


def with_source(exchange: Exchange, sock: socket.socket) -> Exchange:
    """Return the exchange with the address and port that the socket spoke from, if it spoke."""
    address, port = sock.getsockname()[:2]
    if not port or ipaddress.ip_address(address).is_unspecified:
        return exchange
    return replace(exchange, source=Ip(str(ipaddress.ip_address(address))), source_port=port)


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


def _tcp(
    sock: socket.socket, request: Request, body: bytes, reader: _Reader
) -> Generator[tuple[socket.socket, int], bool, answer.Seen]:
    started = sock.connect_ex((request.vip, request.port))
    if started not in {0, errno.EINPROGRESS}:
        raise OSError(started, "connect")
    if not (yield sock, WRITE):
        raise _OverError("no answer to the SYN")
    if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(number, "connect")
    host = f"[{request.vip}]" if ":" in request.vip else request.vip
    unsent = memoryview(answer.http_request(host, body))
    while unsent:
        if not (yield sock, WRITE):
            raise _OverError(f"connected, {len(unsent)} bytes could not be sent")
        unsent = unsent[sock.send(unsent) :]
    return (yield from _http_answer(sock, reader))


def _http_answer(sock: socket.socket, reader: _Reader) -> Generator[tuple[socket.socket, int], bool, answer.Seen]:
    received = b""
    while True:
        if not (yield sock, READ):
            came = f"only {len(received)} bytes came back" if received else "no answer came"
            raise _OverError(f"connected, but {came}")  # a part of an answer accuses nobody: the rest may be lost
        chunk = _receive(sock)
        if chunk is None:
            continue
        received += chunk
        try:
            body = answer.http_body(received)
        except ValueError as error:
            raise _WrongError(Outcome.WRONG_ANSWER, str(error)) from error
        if body is not None:
            seen = reader.seen(body)
            if seen is None:
                raise _WrongError(Outcome.WRONG_ANSWER, "the answer did not prove that our Pod gave it")
            return seen
        if not chunk:
            raise _WrongError(Outcome.RESET, f"the connection was closed after {len(received)} bytes")


def _udp(
    sock: socket.socket, request: Request, body: bytes, reader: _Reader
) -> Generator[tuple[socket.socket, int], bool, answer.Seen]:
    sock.connect((request.vip, request.port))
    sock.send(body)
    wrong = 0
    while True:
        if wrong >= MAX_WRONG or not (yield sock, READ):
            if wrong:
                raise _WrongError(Outcome.WRONG_ANSWER, f"{wrong} answers did not prove that our Pod gave them")
            raise _OverError("no answer came")
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
