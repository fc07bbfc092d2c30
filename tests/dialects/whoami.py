#!/usr/bin/env python3
"""Stands for traefik/whoami: what its source (app.go of 1.11) does with the requests of l2probe.

Runs by itself with the standard library. `/api` repeats the request, its URL among it.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BUFFERED_BYTES = 2048


def written(address: tuple[str, int]) -> str:
    """Return an address as Go writes it."""
    ip = address[0].removeprefix("::ffff:")
    return f"[{ip}]:{address[1]}" if ":" in ip else f"{ip}:{address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a GET."""
        path = self.path.partition("?")[0]
        if path == "/health":
            self.say(b"")
        elif path == "/api":
            said = {
                "hostname": socket.gethostname(),
                "ip": ["127.0.0.1", "::1"],
                "headers": {name: [value] for name, value in self.headers.items() if name != "Host"},
                "url": self.path,
                "host": self.headers.get("Host", ""),
                "method": "GET",
                "remoteAddr": written(self.client_address),
            }
            self.say(json.dumps(said, separators=(",", ":")).encode() + b"\n")
        else:
            self.say(f"Hostname: {socket.gethostname()}\nRemoteAddr: {written(self.client_address)}\n".encode())

    def say(self, body: bytes) -> None:
        """Send a body, chunked when it does not fit Go's buffer."""
        self.send_response(200)
        long = len(body) > BUFFERED_BYTES
        self.send_header(*(("Transfer-Encoding", "chunked") if long else ("Content-Length", str(len(body)))))
        self.end_headers()
        self.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n" if long else body)

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


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=int(os.environ.get("WHOAMI_PORT_NUMBER", "80")))
    Server(("::", parser.parse_args().port), Handler).serve_forever()


if __name__ == "__main__":
    main()
