"""Exchanges over the loopback with the real echo server, and with servers that do everything else."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from l2probe.model import Exchange, Ip, Outcome, Protocol
from l2probe.observe.traffic import Request, Traffic
from l2probe.observe.voices import Script
from l2probe.workload.echo import Echo, serve_connection

SECRET = bytes(range(16))
VOICE = Script(secret=SECRET)
LOOPBACK = (Ip("127.0.0.1"), Ip("::1"))
PROTOCOLS = (Protocol.TCP, Protocol.UDP)
Serve = Callable[[socket.socket], None]


def request(protocol: Protocol, vip: Ip, port: int, *, payload_bytes: int = 600, timeout: float = 5.0) -> Request:
    """Return a request."""
    return Request(protocol=protocol, vip=vip, port=port, payload_bytes=payload_bytes, timeout=timeout)


def family(vip: Ip) -> socket.AddressFamily:
    """Return the address family."""
    return socket.AF_INET6 if ":" in vip else socket.AF_INET


@contextmanager
def listening(protocol: Protocol, vip: Ip, serve: Serve | None = None) -> Iterator[int]:
    """Yield the port of a socket that `serve` serves in a thread (None: nobody does)."""
    kind = socket.SOCK_STREAM if protocol is Protocol.TCP else socket.SOCK_DGRAM
    with socket.socket(family(vip), kind) as sock:
        sock.bind((vip, 0))
        if protocol is Protocol.TCP:
            sock.listen(64)
        if serve is not None:
            threading.Thread(target=quietly, args=(serve, sock), daemon=True).start()
        yield sock.getsockname()[1]
        if protocol is Protocol.TCP:
            sock.shutdown(socket.SHUT_RDWR)


def quietly(serve: Serve, sock: socket.socket) -> None:
    """Serve until the socket is closed."""
    try:
        serve(sock)
    except OSError:
        return


def echo(protocol: Protocol, secret: bytes = SECRET) -> Serve:
    """Return the real server's loop; it ends with its socket."""
    server = Echo(secret, "echo-1", "node-1")

    def once(sock: socket.socket) -> None:
        while sock.fileno() >= 0:
            if protocol is Protocol.UDP:
                body, peer = sock.recvfrom(65535)
                answer = server.answer(body, peer[0], peer[1])
                if answer is not None:
                    sock.sendto(answer, peer)
            else:
                connection, peer = sock.accept()
                serve_connection(server, connection, peer[0], peer[1], threading.Semaphore())

    return once


def saying(*words: bytes, then: Callable[[socket.socket], None] = lambda _: None) -> Serve:
    """Return a TCP server that reads a question and says something of its own."""

    def serve(sock: socket.socket) -> None:
        while True:
            connection, _ = sock.accept()
            with connection:
                connection.recv(65536)
                for word in words:
                    connection.sendall(word)
                then(connection)

    return serve


def reset(connection: socket.socket) -> None:
    """Close with a RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def stay(connection: socket.socket) -> None:
    """Keep the connection until the other side closes it."""
    while connection.recv(65536):
        pass


@pytest.mark.parametrize("vip", LOOPBACK)
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("size", [600, 9000])
def test_the_real_server_answers(protocol: Protocol, vip: Ip, size: int) -> None:
    """Client address, port, Pod, node, length and latency are those of this exchange."""
    with listening(protocol, vip, echo(protocol)) as port:
        (seen,) = Traffic(VOICE).exchange([request(protocol, vip, port, payload_bytes=size)])

    assert (seen.outcome, seen.seen, seen.source, seen.pod, seen.node) == (
        Outcome.ANSWERED,
        vip,
        vip,
        "echo-1",
        "node-1",
    )
    assert (seen.payload_bytes, seen.port, seen.detail) == (size, port, "")
    assert seen.source_port
    assert 0 < (seen.latency_seconds or 0) < 5


@pytest.mark.parametrize("vip", LOOPBACK)
def test_a_closed_port_is_refused_by_rst_in_tcp_and_by_icmp_in_udp(vip: Ip) -> None:
    """What refused is told without privileges, type and code included."""
    with listening(Protocol.TCP, vip) as tcp_port, listening(Protocol.UDP, vip) as udp_port:
        pass

    tcp, udp = Traffic(VOICE).exchange([request(Protocol.TCP, vip, tcp_port), request(Protocol.UDP, vip, udp_port)])

    assert (tcp.outcome, tcp.icmp) == (Outcome.REFUSED_RST, None)
    assert (udp.outcome, udp.icmp) == (Outcome.REFUSED_ICMP, (1, 4) if ":" in vip else (3, 3))
    assert udp.source == vip


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_silence_is_a_timeout(protocol: Protocol) -> None:
    """Nobody answers: the exchange takes its time and no longer."""
    with listening(protocol, LOOPBACK[0]) as port:
        began = time.monotonic()
        (seen,) = Traffic(VOICE).exchange([request(protocol, LOOPBACK[0], port, timeout=0.2)])

    assert seen.outcome is Outcome.TIMEOUT
    assert 0.2 <= time.monotonic() - began < 1
    assert "no answer came" in seen.detail


IMPOSTORS = {
    "404": (saying(b"HTTP/1.1 404 Not Found\r\n\r\n"), Outcome.WRONG_ANSWER, "404 Not Found"),
    "a page": (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), Outcome.WRONG_ANSWER, "did not prove"),
    "SSH": (saying(b"SSH-2.0-x\r\n", then=stay), Outcome.WRONG_ANSWER, "not HTTP"),
    "half an answer": (saying(b"HTTP/1.1 2", then=stay), Outcome.TIMEOUT, "connected, but only 10 bytes came back"),
    "half a page": (
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", then=stay),
        Outcome.TIMEOUT,
        "connected, but only 40 bytes came back",
    ),
    "half a page and goodbye": (
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"),
        Outcome.RESET,
        "the connection was closed after 40 bytes",
    ),
    "no end": (saying(b"HTTP/1.1 200 OK\r\n" + b"x" * 70_000, then=stay), Outcome.WRONG_ANSWER, "not HTTP"),
    "goodbye": (saying(), Outcome.RESET, "closed after 0 bytes"),
    "reset": (saying(then=reset), Outcome.RESET, "was reset"),
}


@pytest.mark.parametrize("case", IMPOSTORS)
def test_another_server_is_not_our_pod(case: str) -> None:
    """A complete answer that proves nothing is a wrong one; a part of one may be loss and accuses nobody."""
    serve, outcome, says = IMPOSTORS[case]
    with listening(Protocol.TCP, LOOPBACK[0], serve) as port:
        (seen,) = Traffic(VOICE).exchange([request(Protocol.TCP, LOOPBACK[0], port, timeout=0.5)])

    assert (seen.outcome, seen.pod, seen.seen) == (outcome, None, None)
    assert says in seen.detail


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_with_another_secret_proves_nothing(protocol: Protocol) -> None:
    """Our own program of another run is not our Pod either: 404 in TCP, silence in UDP."""
    with listening(protocol, LOOPBACK[0], echo(protocol, b"another secret!!")) as port:
        (seen,) = Traffic(VOICE).exchange([request(protocol, LOOPBACK[0], port, timeout=0.3)])

    assert seen.outcome is (Outcome.WRONG_ANSWER if protocol is Protocol.TCP else Outcome.TIMEOUT)


def test_a_right_datagram_after_a_wrong_one_counts() -> None:
    """Somebody else's datagram does not hide our Pod's; alone it is a wrong answer."""
    server = Echo(SECRET, "echo-1", "node-1")

    def serve(sock: socket.socket) -> None:
        for answers in ((b"me too!", None), (b"me too!",)):
            body, peer = sock.recvfrom(65535)
            for answer in answers:
                sock.sendto(answer or server.answer(body, peer[0], peer[1]) or b"", peer)

    traffic = Traffic(VOICE)
    with listening(Protocol.UDP, LOOPBACK[0], serve) as port:
        asked = [request(Protocol.UDP, LOOPBACK[0], port, timeout=0.3)]
        outcomes = [traffic.exchange(asked)[0].outcome for _ in range(2)]

    assert outcomes == [Outcome.ANSWERED, Outcome.WRONG_ANSWER]


def test_a_datagram_longer_than_the_mtu_is_not_fragmented() -> None:
    """It is not sent at all, and says why."""
    with listening(Protocol.UDP, LOOPBACK[0], echo(Protocol.UDP)) as port:
        (seen,) = Traffic(VOICE).exchange([request(Protocol.UDP, LOOPBACK[0], port, payload_bytes=65_520)])

    assert (seen.outcome, seen.detail) == (Outcome.TIMEOUT, "message longer than the local MTU")


def test_dead_addresses_wait_side_by_side() -> None:
    """Thirty silent exchanges take the time of one."""
    with listening(Protocol.UDP, LOOPBACK[0]) as port:
        began = time.monotonic()
        seen = Traffic(VOICE).exchange([request(Protocol.UDP, LOOPBACK[0], port, timeout=0.3)] * 30)

    assert {each.outcome for each in seen} == {Outcome.TIMEOUT}
    assert time.monotonic() - began < 2
    assert len({each.source_port for each in seen}) == 30


def test_no_more_than_asked_run_at_once_and_the_order_is_kept() -> None:
    """With `parallel` 2, six silent exchanges take three times as long; they come back in their order."""
    with listening(Protocol.UDP, LOOPBACK[0]) as port:
        began = time.monotonic()
        requests = [request(Protocol.UDP, LOOPBACK[0], port, payload_bytes=600 + n, timeout=0.1) for n in range(6)]
        seen = Traffic(VOICE).exchange(requests, parallel=2)

    assert 0.3 <= time.monotonic() - began < 2
    assert [each.payload_bytes for each in seen] == [600 + n for n in range(6)]


def test_nothing_to_ask_is_nothing_seen() -> None:
    """No requests, no exchanges."""
    assert Traffic(VOICE).exchange([]) == ()
    assert Traffic(VOICE).knock([], seconds=0.05, gap=0.02) == ()


def test_an_address_of_no_use_is_a_value() -> None:
    """An address that no route leads to, or that cannot be connected to, ends as an outcome."""
    seen = Traffic(VOICE).exchange(
        [request(protocol, Ip("255.255.255.255"), 80, timeout=0.2) for protocol in PROTOCOLS]
    )

    assert all(each.outcome in {Outcome.NO_NEIGHBOUR, Outcome.TIMEOUT} and each.detail for each in seen)
    assert all(each.unsent for each in seen), "our own kernel refused: the network was never asked"


def test_what_is_longer_than_our_own_link_was_not_sent() -> None:
    """A datagram that no interface here can carry says nothing about the path."""
    long = replace(request(Protocol.UDP, LOOPBACK[0], 9, timeout=0.2), payload_bytes=65_700)
    (seen,) = Traffic(VOICE).exchange([long])

    assert (seen.outcome, seen.unsent) == (Outcome.TIMEOUT, True)


def test_knocking_overlaps() -> None:
    """A silent address is knocked at every gap although each attempt waits far longer, always from a new port."""
    with listening(Protocol.UDP, LOOPBACK[0]) as port:
        began = time.monotonic()
        seen = Traffic(VOICE).knock([request(Protocol.UDP, LOOPBACK[0], port, timeout=0.4)], seconds=0.5, gap=0.05)

    assert len(seen) == 10
    assert len({each.source_port for each in seen}) == 10
    assert {each.outcome for each in seen} == {Outcome.TIMEOUT}
    assert 0.8 <= time.monotonic() - began < 3
    assert [each.at for each in seen] == sorted(each.at for each in seen)


def test_knocking_stops_when_enough_was_seen() -> None:
    """`stop` sees what ended so far; attempts that still wait are left out, because they prove nothing yet."""
    counts: list[int] = []

    def enough(seen: Sequence[Exchange]) -> bool:
        counts.append(len(seen))
        return len(seen) >= 3

    with listening(Protocol.UDP, LOOPBACK[0]) as silent, listening(Protocol.TCP, LOOPBACK[0]) as closed:
        pass
    with listening(Protocol.UDP, LOOPBACK[0]) as silent:
        requests = [
            request(Protocol.TCP, LOOPBACK[0], closed),
            request(Protocol.UDP, LOOPBACK[0], silent, timeout=30),
        ]
        began = time.monotonic()
        seen = Traffic(VOICE).knock(requests, seconds=20, gap=0.02, stop=enough)

    assert time.monotonic() - began < 5
    assert {each.outcome for each in seen} == {Outcome.REFUSED_RST}
    assert counts == sorted(counts)
    assert counts[-1] == len(seen) >= 3
