"""Harmless traffic to somebody else's Service: TCP connects, and only when asked one GET or one datagram.

A failed attempt is a value, never an exception. All attempts wait side by side (see `observe.loop`). Needs no privilege
(see `observe.sockets`). Nothing sent could be taken for a command.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from l2probe.model import Exchange, Ip, Protocol
from l2probe.observe import steps
from l2probe.observe.loop import Loop
from l2probe.observe.steps import READ, OverError, Steps, Waiting

TIMEOUT_SECONDS = 2.4
"""Longer than the first repetition of a SYN (1 s, RFC 6298) and what it brings back; short enough for 3.5 s in all."""
GAP_SECONDS = 0.04
"""Between two rounds: an interruption of some milliseconds hits one of them and not all."""
PARALLEL = 400
"""Sockets open at a time: a shell's usual limit is 1,024 descriptors."""
ANSWER_BYTES = 4096
CONNECTED = "connected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """One attempt at a port of a VIP. `payload`: what is sent after the connect (TCP) or as the datagram (UDP)."""

    protocol: Protocol
    vip: Ip
    port: int
    payload: bytes = b""
    timeout: float = TIMEOUT_SECONDS


def get(vip: Ip) -> bytes:
    """Return the plainest GET that HTTP/1.1 allows (RFC 9110)."""
    host = f"[{vip}]" if ":" in vip else vip
    return f"GET / HTTP/1.1\r\nHost: {host}\r\nUser-Agent: l2probe\r\nConnection: close\r\n\r\n".encode()


def knock(rounds: Sequence[Sequence[Knock]]) -> tuple[Exchange, ...]:
    """Put the knocks of each round, the next round GAP_SECONDS later; returns all, in the order in which they began."""
    began = time.monotonic()
    waiting = deque((began + GAP_SECONDS * turn, one) for turn, knocks in enumerate(rounds) for one in knocks)
    with Loop() as loop:
        while waiting or len(loop):
            while waiting and waiting[0][0] <= time.monotonic() and len(loop) < PARALLEL:
                _, one = waiting.popleft()
                loop.start(attempt(one), one.timeout)
            loop.step(waiting[0][0] if waiting and len(loop) < PARALLEL else float("inf"))
        return loop.ended()


def attempt(one: Knock) -> Steps:
    """Return the steps of one attempt from a fresh source port."""
    blank = steps.begun(one.protocol, one.vip, one.port, len(one.payload))
    return (yield from steps.attempt(blank, partial(_talk, blank, one)))


def _talk(blank: Exchange, one: Knock, sock: socket.socket) -> Steps:
    said = yield from (_tcp if one.protocol is Protocol.TCP else _udp)(sock, one)
    return replace(blank, detail=said)


def _tcp(sock: socket.socket, one: Knock) -> Waiting[str]:
    yield from steps.connected(sock, one.vip, one.port)
    if not one.payload:
        return CONNECTED
    sock.send(one.payload)
    if not (yield sock, READ):
        raise OverError("connected, and no answer to the GET came")
    return _first_line(sock.recv(ANSWER_BYTES))


def _udp(sock: socket.socket, one: Knock) -> Waiting[str]:
    sock.connect((one.vip, one.port))
    sock.send(one.payload)
    if not (yield sock, READ):
        raise OverError("no answer came")
    return f"{len(sock.recv(ANSWER_BYTES))} bytes came back"


def _first_line(answer: bytes) -> str:
    """Return the status line of an answer, printable and bounded; what is no HTTP is named so."""
    if not answer.startswith(b"HTTP/"):
        return f"the answer was no HTTP ({len(answer)} bytes)" if answer else "closed without an answer"
    line = answer.partition(b"\r\n")[0].decode("latin-1")[:80]
    return "".join(character if character.isprintable() else "?" for character in line)
