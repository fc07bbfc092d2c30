"""A real HTTP(S) server on the loopback that answers as a test tells it: the other side of the API seam."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import socket
import ssl
import struct
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

FIXTURES = Path(__file__).parent / "fixtures"
Answer = Callable[["Handler"], None]


def recorded(name: str) -> bytes:
    """Return a body that a real cluster sent."""
    return (FIXTURES / name).read_bytes()


def reply(body: object = b"", status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Answer with a body: bytes as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def status(code: int, message: str, headers: dict[str, str] | None = None) -> Answer:
    """Answer with a Status object."""
    return reply({"kind": "Status", "apiVersion": "v1", "message": message, "code": code}, code, headers)


def drop(handler: Handler) -> None:
    """Close the connection with a reset, without a word."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()


def hang(handler: Handler) -> None:
    """Say nothing until the server ends."""
    handler.api.ending.wait(30)
    handler.close_connection = True


def begin_and_hang(handler: Handler) -> None:
    """Promise a body and never finish it."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"items": [')
    handler.wfile.flush()
    hang(handler)


def giant(size: int) -> Answer:
    """Answer with that many bytes."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        try:
            for _ in range(size // 65536):
                handler.wfile.write(b" " * 65536)
        except OSError:
            handler.close_connection = True

    return answer


def stream(*lines: object, then: Answer | None = None) -> Answer:
    """Answer a watch with these events (bytes as they are) and keep it open, or go on with `then`."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for line in lines:
            data = line if isinstance(line, bytes) else json.dumps(line).encode()
            handler.wfile.write(f"{len(data) + 1:x}\r\n".encode() + data + b"\n\r\n")
        handler.wfile.flush()
        if then is None:
            hang(handler)
        else:
            then(handler)

    return answer


def end(handler: Handler) -> None:
    """End a stream properly, as a server does after timeoutSeconds."""
    handler.wfile.write(b"0\r\n\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that came."""

    method: str
    path: str
    client: tuple[str, int]
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    every: dict[str, list[str]] = field(default_factory=dict)
    """Each header with all values that came for it."""
    certificate: str | None = None
    """The common name in the client's certificate, where the server asked for one."""


@dataclass(slots=True)
class Api:
    """What the server answers and what it was asked. `on` queues answers for a path; the last one stays."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list, repr=False)
    ending: threading.Event = field(default_factory=threading.Event)
    ca_pem: str = field(default="", repr=False)
    _answers: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list), repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def on(self, what: str, *answers: Answer) -> None:
        """Queue answers for "METHOD /path", or "WATCH /path"."""
        with self._lock:
            self._answers[what] = list(answers)

    def next(self, what: str) -> Answer:
        """Take the next answer; 404 as text, as a real server says it, for what no test spoke of."""
        with self._lock:
            answers = self._answers.get(what)
            if not answers:
                return stream() if what.startswith("WATCH") else reply(b"404 page not found\n", 404)
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def requests(self, what: str) -> list[Asked]:
        """Return what was asked with this method and path."""
        return [asked for asked in self.asked if f"{asked.method} {asked.path}" == what]

    def kubeconfig(self, directory: Path, **user: object) -> str:
        """Write a kubeconfig for this server; returns its path. Without `user`, a token."""
        cluster: dict[str, object] = {"server": self.url}
        if self.ca_pem:
            (directory / "ca.pem").write_text(self.ca_pem)
            cluster["certificate-authority"] = "ca.pem"
        document = {
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "here"}}],
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": user or {"token": "secret"}}],
        }
        path = directory / "config"
        path.write_text(json.dumps(document))
        return str(path)


class Handler(BaseHTTPRequestHandler):
    """Records a request and answers it from the script."""

    protocol_version = "HTTP/1.1"

    @property
    def api(self) -> Api:
        """Return the script."""
        return cast("Api", self.server.api)  # type: ignore[attr-defined]

    def handle_one_request(self) -> None:
        """Handle one request; a client that leaves is no error."""
        try:
            super().handle_one_request()
        except (OSError, ValueError):
            self.close_connection = True

    def _serve(self) -> None:
        split = urlsplit(self.path)
        query = dict(parse_qsl(split.query))
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        content = self.rfile.read(length)
        is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        body = dict(parse_qsl(content.decode())) if is_form else json.loads(content) if content else None
        self.api.asked.append(
            Asked(
                method=self.command,
                path=split.path,
                client=self.client_address,
                query=query,
                headers=headers,
                body=body,
                every={name.lower(): self.headers.get_all(name) or [] for name in self.headers},
                certificate=common_name(self.connection),
            )
        )
        method = "WATCH" if query.get("watch") == "true" else self.command
        self.api.next(f"{method} {split.path}")(self)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A threading server whose listener knows the script."""

    daemon_threads = True
    block_on_close = False
    api: Api

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that break off are part of the tests; a mistake in a test is not."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(cast("socket.socket", request), client_address)


def common_name(connection: socket.socket) -> str | None:
    """Return the common name in the certificate that a client showed."""
    shown = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    subject = cast("tuple[tuple[tuple[str, str], ...], ...]", (shown or {}).get("subject", ()))
    return next((value for part in subject for key, value in part if key == "commonName"), None)


@contextmanager
def serving(*, tls: bool = False, name: str | None = None, clients: str | None = None) -> Iterator[Api]:
    """Run the server on a free port of the loopback.

    Its certificate is for 127.0.0.1 and 0.0.0.0, or for a `name` alone; `clients`: the authority of theirs, as PEM.
    """
    server = Server(("127.0.0.1", 0), Handler)
    server.api = api = Api()
    if tls:
        api.ca_pem = _wrap(server, name, clients)
    api.url = f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.ending.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _wrap(server: Server, name: str | None, clients: str | None) -> str:
    """Give the server a self-signed certificate; returns it as PEM."""
    certificate, key = self_signed(name=name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if clients:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=clients)
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(certificate + key)
        file.flush()
        context.load_cert_chain(file.name)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return certificate


def self_signed(common: str = "test", *, name: str | None = None) -> tuple[str, str]:
    """Return a certificate for 127.0.0.1 and 0.0.0.0, or for a DNS name alone, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])
    addresses = [x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", "0.0.0.0")]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)] if name else addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem).decode(), key.private_bytes(pem, *plain).decode()
