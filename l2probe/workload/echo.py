"""The echo server that runs in a Pod: says which address it saw a client come from, to those who hold the run's secret.

One file, standard library only, no import that starts slowly: it is delivered in a ConfigMap and run as
`python3 /l2probe/echo.py`. It must execute nothing, write nothing and answer nobody who cannot prove the secret;
over UDP an answer is never longer than its question, so that it cannot amplify on the LAN.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import socket
import sys
import threading
import time

MAX_BODY_BYTES = 64 * 1024
MAX_HEAD_BYTES = 8 * 1024
MAX_CONNECTIONS = 256
MAX_SECONDS = 10.0
MAX_NODE_CHARACTERS = 128
"""A Node's name may have 253; cut, so that the unpadded answer stays below the shortest question (512 bytes)."""
NONCE_CHARACTERS = 32
PROOF_CHARACTERS = 64
SECRET_CHARACTERS = 32
LENGTH_DIGITS = 6
HEXADECIMAL = frozenset("0123456789abcdef")


class Echo:
    """What an answer needs to know: the secret, and which Pod on which node this is."""

    def __init__(self, secret: bytes, pod: str, node: str) -> None:
        self.secret = secret
        self.pod = pod
        self.node = node[:MAX_NODE_CHARACTERS]

    def _proof(self, text: str) -> str:
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()

    def answer(self, body: bytes, client: str, port: int) -> bytes | None:
        """Return the answer to a request body, padded to its length; None when the request proves no secret."""
        nonce = self._proven_nonce(body)
        if nonce is None:
            return None
        client = plain_address(client)
        said = f"answer:{nonce}|{client}|{port}|{self.pod}|{self.node}|{len(body)}"
        fields: dict[str, object] = {
            "l2probe": 1,
            "nonce": nonce,
            "client": client,
            "client_port": port,
            "pod": self.pod,
            "node": self.node,
            "bytes": len(body),
            "proof": self._proof(said),
            "pad": "",
        }
        missing = len(body) - len(compact(fields))
        return None if missing < 0 else compact({**fields, "pad": "x" * missing})

    def _proven_nonce(self, body: bytes) -> str | None:
        try:
            asked = json.loads(body)
        except (ValueError, RecursionError):
            return None
        if not isinstance(asked, dict) or asked.get("l2probe") != 1:
            return None
        nonce, proof = asked.get("nonce"), asked.get("proof")
        if (
            not isinstance(nonce, str)
            or not isinstance(proof, str)
            or (len(nonce), len(proof)) != (NONCE_CHARACTERS, PROOF_CHARACTERS)
            or not HEXADECIMAL.issuperset(nonce + proof)
        ):
            return None
        return nonce if hmac.compare_digest(self._proof(f"ask:{nonce}").encode(), proof.encode()) else None


def compact(fields: dict[str, object]) -> bytes:
    """Return JSON without spaces."""
    return json.dumps(fields, separators=(",", ":")).encode()


def plain_address(address: str) -> str:
    """Return the address without the IPv4-mapped prefix (RFC 4291, 2.5.5.2) and without a zone."""
    return address.removeprefix("::ffff:").partition("%")[0]


def read_request(connection: socket.socket) -> tuple[str, bytes] | None:
    """Read one HTTP request within MAX_SECONDS: its first line and its body; None when it is none or too long."""
    deadline = time.monotonic() + MAX_SECONDS
    data = b""
    while b"\r\n\r\n" not in data:
        if len(data) > MAX_HEAD_BYTES or not (chunk := receive(connection, deadline)):
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    length = content_length(lines[1:])
    if len(head) > MAX_HEAD_BYTES or length is None:
        return None
    while len(body) < length:
        if not (chunk := receive(connection, deadline)):
            return None
        body += chunk
    return lines[0], body[:length]


def receive(connection: socket.socket, deadline: float) -> bytes:
    """Receive some bytes before the deadline (monotonic seconds); empty at the end of the stream or of the time."""
    left = deadline - time.monotonic()
    if left <= 0:
        return b""
    connection.settimeout(left)
    try:
        return connection.recv(MAX_BODY_BYTES)
    except OSError:
        return b""


def content_length(headers: list[str]) -> int | None:
    """Return the Content-Length (0 when absent), None when it is no number or too long."""
    for header in headers:
        name, _, value = header.partition(":")
        if name.strip().lower() == "content-length":
            text = value.strip()
            return (
                int(text) if text.isdecimal() and len(text) <= LENGTH_DIGITS and int(text) <= MAX_BODY_BYTES else None
            )
    return 0


def respond(echo: Echo, connection: socket.socket, client: str, port: int) -> bytes | None:
    """Return the whole HTTP response to the request on this connection; None: say nothing and close."""
    request = read_request(connection)
    if request is None:
        return None
    line, body = request
    if line.startswith("GET /healthz "):
        return http("200 OK", b"ok\n")
    answer = echo.answer(body, client, port) if line.startswith("POST /l2probe ") else None
    return http("404 Not Found", b"") if answer is None else http("200 OK", answer)


def http(status: str, body: bytes) -> bytes:
    """Return an HTTP/1.1 response (RFC 9112) that closes the connection."""
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close", "", "")
    return "\r\n".join((f"HTTP/1.1 {status}", *fields)).encode() + body


def serve_connection(
    echo: Echo, connection: socket.socket, client: str, port: int, places: threading.Semaphore
) -> None:
    """Serve one connection; whatever a client does ends here, within MAX_SECONDS for each direction."""
    with connection:
        try:
            response = respond(echo, connection, client, port)
            if response is not None:
                connection.settimeout(MAX_SECONDS)
                connection.sendall(response)
                connection.shutdown(socket.SHUT_WR)
                receive(connection, time.monotonic() + 1.0)  # unread bytes would turn the close into a reset
        except OSError:
            return  # the client left; that is its right
        finally:
            places.release()


def serve_tcp(echo: Echo, listener: socket.socket) -> None:
    """Accept for ever, at most MAX_CONNECTIONS at once; one too many is closed at once."""
    places = threading.Semaphore(MAX_CONNECTIONS)
    while True:
        try:
            connection, peer = listener.accept()
        except OSError:
            continue  # the client was gone before we took it
        if not places.acquire(blocking=False):
            connection.close()
            continue
        work = (echo, connection, peer[0], peer[1], places)
        threading.Thread(target=serve_connection, args=work, daemon=True).start()


def serve_udp(echo: Echo, sock: socket.socket) -> None:
    """Answer datagrams for ever; those that prove no secret get nothing."""
    while True:
        try:
            body, peer = sock.recvfrom(MAX_BODY_BYTES)
            answer = echo.answer(body, peer[0], peer[1])
            if answer is not None:
                sock.sendto(answer, peer)
        except (OSError, ValueError):
            continue  # an ICMP error about an earlier answer; no datagram may end the service


def bind(kind: socket.SocketKind, port: int) -> socket.socket:
    """Return a socket bound to the port in both families, or in IPv4 alone where the kernel has no IPv6."""
    try:
        sock = socket.socket(socket.AF_INET6, kind)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        address = "::"
    except OSError:
        sock = socket.socket(socket.AF_INET, kind)
        address = "0.0.0.0"  # noqa: S104 - a Service reaches the Pod on any of its addresses
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    return sock


def main() -> int:
    """Serve until SIGTERM; returns 2 when the environment lacks the secret."""
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # process 1 of a Pod has no default action
    secret = os.environ.get("L2PROBE_SECRET", "")
    if len(secret) < SECRET_CHARACTERS:
        sys.stderr.write(f"L2PROBE_SECRET must hold at least {SECRET_CHARACTERS} hexadecimal digits\n")
        return 2
    echo = Echo(bytes.fromhex(secret), os.environ.get("POD_NAME", ""), os.environ.get("NODE_NAME", ""))
    udp = bind(socket.SOCK_DGRAM, int(os.environ.get("L2PROBE_UDP_PORT", "8080")))
    tcp = bind(socket.SOCK_STREAM, int(os.environ.get("L2PROBE_TCP_PORT", "8080")))
    tcp.listen(MAX_CONNECTIONS)
    threading.Thread(target=serve_udp, args=(echo, udp), daemon=True).start()
    serve_tcp(echo, tcp)
    return 0


if __name__ == "__main__":
    sys.exit(main())
