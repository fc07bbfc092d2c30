"""The echo server as a real process on loopback: who gets an answer, what it says, and what nobody can make it do."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from l2probe.workload import echo

SECRET = bytes(range(32))
NONCE = "0123456789abcdef0123456789abcdef"
LOOPBACK = ("127.0.0.1", "::1")


@dataclass(frozen=True)
class Server:
    """A running echo server: its process and its port, the same for TCP and UDP."""

    process: subprocess.Popen[bytes]
    port: int


def free_port() -> int:
    """Return a port that was free for TCP and UDP a moment ago."""
    with socket.socket(socket.AF_INET6) as tcp, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        tcp.bind(("::", 0))
        port = int(tcp.getsockname()[1])
        udp.bind(("::", port))
        return port


def wait_until_healthy(server: Server) -> None:
    """Wait until the readiness probe of the manifests would pass."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            if b"200 OK" in tcp(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"):
                return
        except ConnectionRefusedError:
            continue
    raise AssertionError("the echo server did not become healthy")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Start the very file that the ConfigMap delivers, as the Pod does."""
    port = free_port()
    env = {
        **os.environ,
        "L2PROBE_SECRET": SECRET.hex(),
        "POD_NAME": "echo-1",
        "NODE_NAME": "node-1",
        "L2PROBE_TCP_PORT": str(port),
        "L2PROBE_UDP_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, str(Path(echo.__file__))], env=env)
    running = Server(process, port)
    try:
        wait_until_healthy(running)
        yield running
    finally:
        process.kill()
        process.wait()


def proof(text: str, secret: bytes = SECRET) -> str:
    """Return the HMAC-SHA256 of the protocol."""
    return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()


def question(length: int = 512, secret: bytes = SECRET, nonce: str = NONCE) -> bytes:
    """Return a request body of this many bytes."""
    fields = {"l2probe": 1, "nonce": nonce, "proof": proof(f"ask:{nonce}", secret), "pad": ""}
    missing = length - len(json.dumps(fields))
    return json.dumps({**fields, "pad": "x" * missing}).encode()


def post(body: bytes, path: str = "/l2probe") -> bytes:
    """Return an HTTP request as l2probe sends it."""
    return (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
    )


def tcp(server: Server, request: bytes, host: str = "127.0.0.1") -> bytes:
    """Return all that comes back on one connection."""
    with socket.create_connection((host, server.port), timeout=5) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def udp(server: Server, body: bytes, host: str = "127.0.0.1", timeout: float = 5.0) -> tuple[bytes | None, int]:
    """Return the datagram that comes back, None after the timeout, and our own port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.connect((host, server.port))
        sock.send(body)
        try:
            return sock.recv(65536), sock.getsockname()[1]
        except TimeoutError:
            return None, sock.getsockname()[1]


@pytest.mark.parametrize("host", LOOPBACK)
@pytest.mark.parametrize("length", [512, 1452, 4096])
def test_udp_answer_names_the_client_and_is_as_long_as_the_question(server: Server, host: str, length: int) -> None:
    """Over UDP the answer proves who the Pod saw, in plain IPv4 or IPv6 text, and never amplifies."""
    received, port = udp(server, question(length), host)

    assert received is not None
    answer = json.loads(received)
    said = f"answer:{NONCE}|{host}|{port}|echo-1|node-1|{length}"
    assert (answer["client"], answer["client_port"], answer["bytes"]) == (host, port, length)
    assert answer["proof"] == proof(said)
    assert len(received) == length


@pytest.mark.parametrize("host", LOOPBACK)
def test_tcp_answer_is_padded_to_the_question(server: Server, host: str) -> None:
    """Over TCP full-size frames travel both ways, and Pod and node are named."""
    head, _, body = tcp(server, post(question(4096)), host).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 OK")
    assert len(body) == 4096
    answer = json.loads(body)
    assert (answer["client"], answer["pod"], answer["node"]) == (host, "echo-1", "node-1")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(question(secret=b"another"), id="another secret"),
        pytest.param(b"hello", id="no JSON"),
        pytest.param(b"[1, 2]", id="no object"),
        pytest.param(b"[" * 50_000, id="deeply nested"),
        pytest.param(json.dumps({"l2probe": 1, "nonce": 7, "proof": None}).encode(), id="wrong types"),
        pytest.param(json.dumps({"l2probe": 1, "nonce": NONCE, "proof": "\ud800"}).encode(), id="no character"),
        pytest.param(question(nonce="é" * 32), id="nonce outside ASCII"),
        pytest.param(question(nonce="a|b" + "0" * 29), id="nonce with a separator"),
        pytest.param(question(200), id="shorter than the answer"),
    ],
)
def test_without_proof_nobody_gets_an_answer(server: Server, body: bytes) -> None:
    """Whoever cannot prove the run's secret hears nothing over UDP and 404 over TCP."""
    received, _ = udp(server, body, timeout=0.2)
    assert received is None
    assert tcp(server, post(body)).startswith(b"HTTP/1.1 404")
    assert udp(server, question())[0] is not None, "the next honest question is answered"


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"POST /l2probe HTTP/1.1\r\nContent-Length: 70000\r\n\r\n", id="body too long"),
        pytest.param(b"POST /l2probe HTTP/1.1\r\nContent-Length: -1\r\n\r\n", id="negative length"),
        pytest.param(b"POST /l2probe HTTP/1.1\r\nContent-Length: x\r\n\r\n", id="length no number"),
        pytest.param(b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", id="head too long"),
    ],
)
def test_oversize_requests_are_closed_without_an_answer(server: Server, request_bytes: bytes) -> None:
    """What is longer than the bounds gets no word and no memory."""
    with contextlib.suppress(ConnectionResetError):  # closed with our bytes unread: as good an end
        assert tcp(server, request_bytes) == b""
    wait_until_healthy(server)


def test_other_paths_are_not_found(server: Server) -> None:
    """Only /l2probe and /healthz exist."""
    assert tcp(server, post(question(), "/shell?cmd=id")).startswith(b"HTTP/1.1 404")


def test_a_slow_client_does_not_keep_others_waiting(server: Server) -> None:
    """A client that sends nothing holds one place, not the server."""
    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(b"POST /l2probe HTTP/1.1\r\n")
        assert tcp(server, post(question())).startswith(b"HTTP/1.1 200")


def test_a_body_in_pieces_is_one_request(server: Server) -> None:
    """TCP has no messages: head and body may arrive byte by byte."""
    whole = post(question())
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        for start in range(0, len(whole), 100):
            connection.sendall(whole[start : start + 100])
        assert connection.recv(15) == b"HTTP/1.1 200 OK"


def test_long_node_names_keep_the_answer_shorter_than_the_shortest_question() -> None:
    """The longest names that Kubernetes allows still fit into 512 bytes."""
    answer = echo.Echo(SECRET, "p" * 63, "n" * 253).answer(
        question(512), "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 65535
    )

    assert answer is not None
    assert len(answer) == 512
    assert json.loads(answer)["node"] == "n" * echo.MAX_NODE_CHARACTERS


def test_sigterm_ends_it_at_once() -> None:
    """A Pod being deleted must not use its grace period."""
    port = str(free_port())
    env = {**os.environ, "L2PROBE_SECRET": SECRET.hex(), "L2PROBE_TCP_PORT": port, "L2PROBE_UDP_PORT": port}
    with subprocess.Popen([sys.executable, str(Path(echo.__file__))], env=env) as process:
        wait_until_healthy(Server(process, int(port)))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=5) == 0


def test_without_a_secret_it_does_not_start() -> None:
    """A server that would answer everybody never listens."""
    env = {name: value for name, value in os.environ.items() if name != "L2PROBE_SECRET"}
    done = subprocess.run([sys.executable, str(Path(echo.__file__))], env=env, capture_output=True, check=False)

    assert done.returncode == 2
    assert b"L2PROBE_SECRET" in done.stderr


def test_it_starts_without_slow_imports() -> None:
    """The Pod is ready sooner without asyncio, http.server, ssl or typing-heavy modules."""
    probe = "import sys; sys.path.insert(0, sys.argv[1]); import echo; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", probe, str(Path(echo.__file__).parent)],
        capture_output=True,
        check=True,
        text=True,
    )

    assert not {"asyncio", "http", "ssl", "socketserver", "dataclasses", "typing", "l2probe"} & set(done.stdout.split())
