"""Proxies on the loopback that note whom they were asked for, and relay to the one server of a test."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Relay:
    """A running proxy: its port, and what it was asked: target and, over HTTP, who asked."""

    port: int
    asked: list[tuple[str, str]] = field(default_factory=list)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    relay: Relay
    server_port: int


class _Http(socketserver.StreamRequestHandler):
    """CONNECT of RFC 9110."""

    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        first = self.rfile.readline().decode().split()
        headers = dict(line.split(": ", 1) for line in iter(lambda: self.rfile.readline().decode().strip(), ""))
        who = next((value for name, value in headers.items() if name.lower() == "proxy-authorization"), "")
        self.server.relay.asked.append((first[1], who))
        self.connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        _relay(self.connection, self.server.server_port)


class _Socks(socketserver.StreamRequestHandler):
    """SOCKS 5 of RFC 1928 without authentication."""

    def handle(self) -> None:
        assert isinstance(self.server, _Server)
        _, methods = self.rfile.read(2)
        self.rfile.read(methods)
        self.connection.sendall(b"\x05\x00")
        kind = self.rfile.read(4)[3]
        host = socket.inet_ntoa(self.rfile.read(4)) if kind == 1 else self.rfile.read(self.rfile.read(1)[0]).decode()
        port = int.from_bytes(self.rfile.read(2))
        self.server.relay.asked.append((f"{host}:{port}", ""))
        self.connection.sendall(b"\x05\x00\x00\x01" + bytes(6))
        _relay(self.connection, self.server.server_port)


def _relay(client: socket.socket, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as server:
        back = threading.Thread(target=_copy, args=(server, client), daemon=True)
        back.start()
        _copy(client, server)
        back.join(5)


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@contextmanager
def relaying(port: int, *, socks: bool = False) -> Iterator[Relay]:
    """Run a proxy that takes every target for the server on this port of the loopback."""
    with _Server(("127.0.0.1", 0), _Socks if socks else _Http) as server:
        server.relay = relay = Relay(port=server.server_address[1])
        server.server_port = port
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield relay
        finally:
            server.shutdown()
            thread.join()
