"""What all exchanges have in common: a fresh socket, the ways to end, and who was asked. It knows no event loop.

An exchange is a generator: it yields what it waits for and returns what came of it.
"""

from __future__ import annotations

import errno
import ipaddress
import selectors
import socket
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TypeAlias, TypeVar

from l2probe.model import Exchange, Ip, Outcome, Protocol
from l2probe.observe import netlink
from l2probe.observe.sockets import open_socket, trouble_of

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
T = TypeVar("T")
Waiting: TypeAlias = Generator[tuple[socket.socket, int], bool, T]
"""Yields a socket and the events it waits for; is sent True when they came, False when the time is over."""
Steps: TypeAlias = Waiting[Exchange]


class OverError(Exception):
    """The time is over."""


class WrongError(Exception):
    """Somebody else than our Pod answered, or not the whole answer came."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome


def begun(protocol: Protocol, vip: Ip, port: int, payload_bytes: int) -> Exchange:
    """Return an exchange that begins now and of which nothing is known yet."""
    return Exchange(
        at=time.time(), protocol=protocol, vip=vip, port=port, outcome=Outcome.TIMEOUT, payload_bytes=payload_bytes
    )


def attempt(blank: Exchange, talk: Callable[[socket.socket], Steps]) -> Steps:
    """Return the steps of one exchange from a fresh source port.

    `talk` returns `blank` with what was answered; it raises OverError, WrongError or OSError when nothing was.
    """
    began = time.monotonic()
    try:
        sock = open_socket(blank.protocol, blank.vip)
    except OSError as error:
        return replace(blank, outcome=Outcome.NO_NEIGHBOUR, detail=error.strerror or "", unsent=True)
    with sock:
        try:
            ended = yield from talk(sock)
        except OverError as over:
            ended = _silent(blank, str(over))
        except WrongError as wrong:
            ended = replace(blank, outcome=wrong.outcome, detail=str(wrong))
        except OSError as error:
            trouble = trouble_of(sock, error, blank.vip, blank.payload_bytes)
            ended = replace(
                blank, outcome=trouble.outcome, detail=trouble.detail, icmp=trouble.icmp, unsent=trouble.unsent
            )
        else:
            ended = replace(ended, outcome=Outcome.ANSWERED, latency_seconds=time.monotonic() - began)
        return _with_source(ended, sock)


def connected(sock: socket.socket, vip: Ip, port: int) -> Waiting[None]:
    """Connect by TCP; raises OverError or OSError."""
    started = sock.connect_ex((vip, port))
    if started not in {0, errno.EINPROGRESS}:
        raise OSError(started, "connect")
    if not (yield sock, WRITE):
        raise OverError("no answer to the SYN")
    if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(number, "connect")


def _silent(blank: Exchange, detail: str) -> Exchange:
    """Return a timeout, or NO_NEIGHBOUR when the kernel still waits for somebody to answer ARP or NDP."""
    hop = netlink.unresolved(blank.vip)
    if hop is None:
        return replace(blank, detail=detail)
    return replace(blank, outcome=Outcome.NO_NEIGHBOUR, detail=f"nobody answered for {hop}")


def _with_source(exchange: Exchange, sock: socket.socket) -> Exchange:
    """Return the exchange with the address and port that the socket spoke from, if it spoke."""
    address, port = sock.getsockname()[:2]
    if not port or ipaddress.ip_address(address).is_unspecified:
        return exchange
    return replace(exchange, source=Ip(str(ipaddress.ip_address(address))), source_port=port)
