"""Harmless traffic on real sockets of the loopback interface: how each way to end is told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from l2probe.diagnose.knocking import GAP_SECONDS, Knock, get, knock
from l2probe.model import Ip, Outcome, Protocol

HERE = Ip("127.0.0.1")


@contextmanager
def tcp(answer: Callable[[socket.socket], None] | None = None) -> Iterator[int]:
    """Listen on a port; `answer` serves each connection."""
    with socket.create_server((HERE, 0), backlog=64) as server:
        server.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    client, _ = server.accept()
                except TimeoutError:
                    continue
                with client:
                    if answer:
                        answer(client)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            over.set()
            thread.join()


def one(port: int, **more: object) -> Knock:
    """Return a knock at a local port."""
    return Knock(protocol=Protocol.TCP, vip=HERE, port=port, **more)  # type: ignore[arg-type]


def test_a_connect_sends_nothing_and_is_answered() -> None:
    """The server accepts and reads an end, not a byte."""
    read: list[bytes] = []

    with tcp(lambda client: read.append(client.recv(100))) as port:
        (done,) = knock([[one(port)]])

    assert (done.outcome, done.detail, done.payload_bytes) == (Outcome.ANSWERED, "connected", 0)
    assert (done.source, done.seen, done.pod) == (HERE, None, None)
    assert done.source_port
    assert read == [b""]


def test_a_closed_port_refuses() -> None:
    """RST."""
    with socket.create_server((HERE, 0)) as server:
        port = server.getsockname()[1]

    assert [done.outcome for done in knock([[one(port)] * 3])] == [Outcome.REFUSED_RST] * 3


@pytest.mark.parametrize(
    ("answer", "outcome", "detail"),
    [
        (b"HTTP/1.1 503 Busy\r\n\r\n", Outcome.ANSWERED, "HTTP/1.1 503 Busy"),
        (b"HTTP/1.1 200 \x1b[31mred\r\n\r\n", Outcome.ANSWERED, "HTTP/1.1 200 ?[31mred"),
        (b"SSH-2.0-x\r\n", Outcome.ANSWERED, "the answer was no HTTP (11 bytes)"),
        (b"", Outcome.ANSWERED, "closed without an answer"),
        (None, Outcome.TIMEOUT, "connected, and no answer to the GET came"),
    ],
)
def test_a_get_tells_what_came_back(answer: bytes | None, outcome: Outcome, detail: str) -> None:
    """A status line, something else, nothing, or no answer in time; control characters never get through."""

    def serve(client: socket.socket) -> None:
        assert client.recv(4096) == get(HERE)
        if answer is None:
            time.sleep(0.4)
        else:
            client.sendall(answer)

    with tcp(serve) as port:
        (done,) = knock([[one(port, payload=get(HERE), timeout=0.2)]])

    assert (done.outcome, done.detail) == (outcome, detail)


def test_a_datagram_is_answered_refused_or_lost() -> None:
    """UDP: an answer, an ICMP message, or silence."""
    ask = {"protocol": Protocol.UDP, "vip": HERE, "payload": b"hi", "timeout": 0.2}
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as kind,
    ):
        mute.bind((HERE, 0))
        kind.bind((HERE, 0))
        closed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        closed.bind((HERE, 0))
        ports = [end.getsockname()[1] for end in (kind, mute, closed)]
        closed.close()
        thread = threading.Thread(target=lambda: kind.sendto(b"yes", kind.recvfrom(100)[1]))
        thread.start()
        done = knock([[Knock(port=port, **ask) for port in ports]])  # type: ignore[arg-type]
        thread.join()

    assert [each.outcome for each in done] == [Outcome.ANSWERED, Outcome.TIMEOUT, Outcome.REFUSED_ICMP]
    assert done[0].detail == "3 bytes came back"


def test_dead_ones_wait_side_by_side() -> None:
    """Thirty unanswered attempts in three rounds take the time of one and two gaps."""
    with socket.create_server((HERE, 0), backlog=0) as full:
        port = full.getsockname()[1]
        stuffed = [socket.socket() for _ in range(4)]
        for client in stuffed:
            client.setblocking(False)
            client.connect_ex((HERE, port))
        time.sleep(0.05)
        began = time.monotonic()
        done = knock([[one(port, timeout=0.3)] * 10] * 3)
        took = time.monotonic() - began
        for client in stuffed:
            client.close()

    assert {each.outcome for each in done} == {Outcome.TIMEOUT}
    assert len(done) == 30
    assert 0.3 + 2 * GAP_SECONDS <= took < 0.9


def test_rounds_follow_each_other() -> None:
    """Attempts of later rounds begin later, so that one interruption does not hit all."""
    with tcp() as port:
        done = knock([[one(port)]] * 4)

    begun = [each.at for each in done]
    assert begun == sorted(begun)
    assert begun[-1] - begun[0] >= 3 * GAP_SECONDS * 0.9


def test_nothing_to_knock_at_is_nothing() -> None:
    """No ports, no attempts, no waiting."""
    assert knock([]) == knock([[], []]) == ()


def test_an_address_to_which_the_kernel_sends_nothing_is_a_value() -> None:
    """TCP to the broadcast address never leaves this host; that ends as an outcome, too."""
    (done,) = knock([[Knock(protocol=Protocol.TCP, vip=Ip("255.255.255.255"), port=80, timeout=0.1)]])

    assert done.outcome is Outcome.NO_NEIGHBOUR
