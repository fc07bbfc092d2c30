#!/usr/bin/env python3
"""Stands for `agnhost netexec`: what its source (netexec.go of Kubernetes 1.34) does with the requests of l2probe.

Runs by itself with the standard library. Small bodies carry their length, longer ones are chunked, as Go's server does.
"""

from __future__ import annotations

import argparse
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BUFFERED_BYTES = 2048
"""Go's server knows the length of what fits its buffer."""
BUFFER_BYTES = 2048
ready = threading.Event()


def written(address: tuple[str, int]) -> str:
    """Return an address as Go writes it."""
    ip = address[0].removeprefix("::ffff:")
    return f"[{ip}]:{address[1]}" if ":" in ip else f"{ip}:{address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One connection; several requests may wait on it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a GET."""
        self.respond(parse_qs(urlsplit(self.path).query))

    def do_POST(self) -> None:
        """Answer a POST; a form counts as much as the query (FormValue)."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.respond(parse_qs(body))

    def respond(self, form: dict[str, list[str]]) -> None:
        """Route."""
        match urlsplit(self.path).path:
            case "/clientip":
                self.say(written(self.client_address))
            case "/hostname" | "/hostName":
                self.say(socket.gethostname())
            case "/echo":
                self.say(form.get("msg", [""])[0])
            case "/healthz" | "/readyz":
                self.say("ok" if ready.is_set() else "", 200 if ready.is_set() else 412)
            case _:
                self.say("NOW: a time")

    def say(self, text: str, status: int = 200) -> None:
        """Send a body."""
        body = text.encode()
        self.send_response(status)
        if len(body) <= BUFFERED_BYTES:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(body), BUFFERED_BYTES):
            chunk = body[start : start + BUFFERED_BYTES]
            self.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Listens in both families."""

    address_family = socket.AF_INET6
    daemon_threads = True
    request_queue_size = 1024

    def server_bind(self) -> None:
        """Take IPv4 too."""
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)


def serve_udp(port: int) -> None:
    """Answer datagrams for ever: trimmed, lowered, and nothing for what is no command."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    ready.set()
    while True:
        data, peer = sock.recvfrom(BUFFER_BYTES)
        said = data.decode(errors="replace").strip().lower()
        if said == "hostname":
            sock.sendto(socket.gethostname().encode(), peer)
        elif said.startswith("echo "):
            sock.sendto(said.removeprefix("echo ").encode(), peer)
        elif said == "clientip":
            sock.sendto(written(peer[:2]).encode(), peer)


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["netexec"])
    parser.add_argument("--http-port", type=int, default=8080)
    parser.add_argument("--udp-port", type=int, default=8081)
    given = parser.parse_args()
    if given.udp_port != -1:
        threading.Thread(target=serve_udp, args=(given.udp_port,), daemon=True).start()
    Server(("::", given.http_port), Handler).serve_forever()


if __name__ == "__main__":
    main()
