"""Harmless traffic to somebody else's Service: TCP connects, and only when asked one GET or one datagram.

A failed attempt is a value, never an exception. One thread and one selector drive all attempts, so that dead addresses
wait side by side. Needs no privilege (see `observe.sockets`). Nothing sent could be taken for a command.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

from l2probe.model import Exchange, Ip, Outcome, Protocol
from l2probe.observe.attempts import silent, with_source
from l2probe.observe.sockets import open_socket, trouble_of

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
TIMEOUT_SECONDS = 2.4
"""Longer than the first repetition of a SYN (1 s, RFC 6298) and what it brings back; short enough for 3.5 s in all."""
GAP_SECONDS = 0.04
"""Between two rounds: an interruption of some milliseconds hits one of them and not all."""
PARALLEL = 400
"""Sockets open at a time: a shell's usual limit is 1,024 descriptors."""
ANSWER_BYTES = 4096
CONNECTED = "connected"

Steps: TypeAlias = Generator[tuple[socket.socket, int], bool, Exchange]
"""Yields a socket and the events it waits for; is sent True when they came, False when the time is over."""


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
    with _Loop() as loop:
        while waiting or len(loop):
            while waiting and waiting[0][0] <= time.monotonic() and len(loop) < PARALLEL:
                loop.start(waiting.popleft()[1])
            loop.step(waiting[0][0] if waiting and len(loop) < PARALLEL else float("inf"))
        return loop.ended()


@dataclass(slots=True, kw_only=True)
class _Running:
    """An attempt under way; `deadline` is monotonic."""

    number: int
    steps: Steps
    deadline: float
    descriptor: int = -1


class _Loop:
    """Drives attempts until they end."""

    def __init__(self) -> None:
        self._finished: dict[int, Exchange] = {}
        self._begun = 0
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, _Running] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for running in self._running.values():
            running.steps.close()
        self._selector.close()

    def __len__(self) -> int:
        return len(self._running)

    def ended(self) -> tuple[Exchange, ...]:
        """Return how each attempt ended."""
        return tuple(self._finished[number] for number in sorted(self._finished))

    def start(self, one: Knock) -> None:
        """Begin an attempt; its time runs from now."""
        self._begun += 1
        running = _Running(number=self._begun, steps=attempt(one), deadline=time.monotonic() + one.timeout)
        self._go_on(running, None)

    def step(self, until: float) -> None:
        """Wait for the next event, the next deadline or `until` (monotonic), and let those concerned go on."""
        nearest = min((until, *(running.deadline for running in self._running.values())))
        if nearest == float("inf"):
            return
        ready = {key.data for key, _ in self._selector.select(max(0.0, nearest - time.monotonic()))}
        now = time.monotonic()
        over = {running.number for running in self._running.values() if running.deadline <= now}
        for number in sorted(ready | over):
            running = self._running.pop(number)
            self._selector.unregister(running.descriptor)
            self._go_on(running, number in ready)

    def _go_on(self, running: _Running, came: bool | None) -> None:  # noqa: FBT001 - what a generator is sent
        try:
            sock, events = next(running.steps) if came is None else running.steps.send(came)
        except StopIteration as end:
            self._finished[running.number] = end.value
            return
        running.descriptor = sock.fileno()
        self._running[running.number] = running
        self._selector.register(sock, events, data=running.number)


def attempt(one: Knock) -> Steps:
    """Return the steps of one attempt from a fresh source port."""
    blank = Exchange(
        at=time.time(),
        protocol=one.protocol,
        vip=one.vip,
        port=one.port,
        outcome=Outcome.TIMEOUT,
        payload_bytes=len(one.payload),
    )
    began = time.monotonic()
    try:
        sock = open_socket(one.protocol, one.vip)
    except OSError as error:
        return replace(blank, outcome=Outcome.NO_NEIGHBOUR, detail=error.strerror or "", unsent=True)
    with sock:
        try:
            said = yield from (_tcp if one.protocol is Protocol.TCP else _udp)(sock, one)
        except TimeoutError as over:
            ended = silent(blank, str(over))
        except OSError as error:
            trouble = trouble_of(sock, error, one.vip, blank.payload_bytes)
            ended = replace(
                blank, outcome=trouble.outcome, detail=trouble.detail, icmp=trouble.icmp, unsent=trouble.unsent
            )
        else:
            latency = time.monotonic() - began
            ended = replace(blank, outcome=Outcome.ANSWERED, detail=said, latency_seconds=latency)
        return with_source(ended, sock)


def _tcp(sock: socket.socket, one: Knock) -> Generator[tuple[socket.socket, int], bool, str]:
    started = sock.connect_ex((one.vip, one.port))
    if started not in {0, errno.EINPROGRESS}:
        raise OSError(started, "connect")
    if not (yield sock, WRITE):
        raise TimeoutError("no answer to the SYN")
    if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(number, "connect")
    if not one.payload:
        return CONNECTED
    sock.send(one.payload)
    if not (yield sock, READ):
        raise TimeoutError("connected, and no answer to the GET came")
    return _first_line(sock.recv(ANSWER_BYTES))


def _udp(sock: socket.socket, one: Knock) -> Generator[tuple[socket.socket, int], bool, str]:
    sock.connect((one.vip, one.port))
    sock.send(one.payload)
    if not (yield sock, READ):
        raise TimeoutError("no answer came")
    return f"{len(sock.recv(ANSWER_BYTES))} bytes came back"


def _first_line(answer: bytes) -> str:
    """Return the status line of an answer, printable and bounded; what is no HTTP is named so."""
    if not answer.startswith(b"HTTP/"):
        return f"the answer was no HTTP ({len(answer)} bytes)" if answer else "closed without an answer"
    line = answer.partition(b"\r\n")[0].decode("latin-1")[:80]
    return "".join(character if character.isprintable() else "?" for character in line)
