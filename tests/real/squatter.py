"""A web server of someone else on all addresses of its machine: `python squatter.py PORT`. No part of l2probe."""

from __future__ import annotations

import http.server
import socket
import sys


class Page(http.server.BaseHTTPRequestHandler):
    """Says the same to everybody."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"somebody else\n")

    do_POST = do_GET  # noqa: N815 - likewise


class Server(http.server.ThreadingHTTPServer):
    """Listens in both families."""

    address_family = socket.AF_INET6


if __name__ == "__main__":
    Server(("::", int(sys.argv[1])), Page).serve_forever()
