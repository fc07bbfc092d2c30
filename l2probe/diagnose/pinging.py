"""ICMP echo requests, only for those who ask for them. A ping that fails is a value.

Needs no privilege where net.ipv4.ping_group_range lets this user, else CAP_NET_RAW (icmp(7)).
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from l2probe.model import Ip, Ping
from l2probe.observe.questions import checksum
from l2probe.observe.sockets import IP_RECVERR, IPV6_RECVERR, icmp_error

SECONDS = 1.0
"""How long an answer may take: a VIP is on this segment, or a router away."""
MOST = 64
PARALLEL = 16
TIMES = 2
ECHO, ECHO_REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
"""ICMP types (RFC 792, RFC 4443)."""
_HEADER = struct.Struct("!BBHHH")
_LONGEST = 2048


def ping(vips: Sequence[Ip]) -> tuple[Ping, ...]:
    """Ping the first MOST addresses side by side, TIMES each; return what came, nothing where this host may not."""
    targets = tuple(dict.fromkeys(vips))[:MOST] * TIMES
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="ping") as pool:
        return tuple(found for found in pool.map(_ping, targets) if found is not None)


def _ping(vip: Ip) -> Ping | None:
    version = ipaddress.ip_address(vip).version
    at, token = time.time(), os.urandom(8)
    try:
        sock = _open(version)
    except OSError:
        return None
    with sock:
        try:
            sock.connect((vip, 0))
            sock.send(request(version, token))
            answered = _await(sock, version, token)
        except OSError as error:
            return Ping(at=at, vip=vip, answered=False, said=_said(sock, error))
    return Ping(at=at, vip=vip, answered=answered)


def _open(version: int) -> socket.socket:
    family, protocol = _KINDS[version]
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM, protocol)
    except OSError:
        sock = socket.socket(family, socket.SOCK_RAW, protocol)
    level, option = (socket.IPPROTO_IPV6, IPV6_RECVERR) if version == 6 else (socket.IPPROTO_IP, IP_RECVERR)  # noqa: PLR2004 - the IP version
    sock.setsockopt(level, option, 1)
    return sock


_KINDS = {
    4: (socket.AF_INET, socket.IPPROTO_ICMP),
    6: (socket.AF_INET6, socket.IPPROTO_ICMPV6),
}


def request(version: int, token: bytes) -> bytes:
    """Return an echo request that carries the token; IPv6's checksum is the kernel's affair."""
    blank = _HEADER.pack(ECHO[version], 0, 0, 0, 1) + token
    return blank if version == 6 else _HEADER.pack(ECHO[4], 0, checksum(blank), 0, 1) + token  # noqa: PLR2004 - likewise


def _await(sock: socket.socket, version: int, token: bytes) -> bool:
    deadline = time.monotonic() + SECONDS
    while (left := deadline - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            message = sock.recv(_LONGEST)
        except TimeoutError:
            return False
        if is_answer(message, version, token):
            return True
    return False


def is_answer(message: bytes, version: int, token: bytes) -> bool:
    """Tell whether what came is the answer to our request; raw IPv4 sockets deliver the IP header with it."""
    if version == 4 and message[:1] and message[0] >> 4 == 4:  # noqa: PLR2004 - the IP version
        message = message[(message[0] & 15) * 4 :]
    return message[:1] == bytes([ECHO_REPLY[version]]) and message[_HEADER.size : _HEADER.size + len(token)] == token


def _said(sock: socket.socket, error: OSError) -> str:
    """Return what came instead of an answer, in words."""
    icmp = icmp_error(sock)
    if icmp is None:
        return os.strerror(error.errno) if error.errno else "not sent"
    return f"ICMP type {icmp.type} code {icmp.code} from {icmp.sender}"
