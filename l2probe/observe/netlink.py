"""What this kernel knows about its links, addresses, routes and neighbours, by rtnetlink. Reads only, sends no packet.

rtnetlink(7), linux/rtnetlink.h. Works in a network namespace, as a socket belongs to the namespace it was made in.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from l2probe.model import Ip, Mac

MAX_MESSAGE_BYTES = 256 * 1024
SECONDS = 2.0
_HEADER = struct.Struct("=LHHLL")
_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_ERROR, _DONE = 2, 3
_NEWLINK, _GETLINK, _GETADDR, _GETROUTE, _GETNEIGH = 16, 18, 22, 26, 30
_REQUEST, _DUMP = 0x1, 0x300
_IFLA_ADDRESS, _IFLA_IFNAME = 1, 3
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC = 1, 4, 5, 7
_NDA_DST = 1
_RTN_LOCAL = 2
_ETHERNET = 1
_NOARP = 0x80
_UNRESOLVED = 0x01 | 0x20
"""NUD_INCOMPLETE | NUD_FAILED."""
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A network interface; `ethernet`: it has neighbours that ARP or NDP find."""

    index: int
    name: str
    mac: Mac | None
    ethernet: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address of an interface with its prefix length."""

    index: int
    ip: Ip
    prefix: int

    @property
    def network(self) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        """Return the subnet."""
        return ipaddress.ip_network(f"{self.ip}/{self.prefix}", strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where packets to an address go. `local`: to this host itself."""

    index: int
    gateway: Ip | None
    source: Ip | None
    local: bool


def links() -> tuple[Link, ...]:
    """Return all interfaces."""
    return tuple(_link(body) for body in _ask(_GETLINK, _DUMP, _LINK.pack(0, 0, 0, 0, 0)))


def _link(body: bytes) -> Link:
    _, kind, index, flags, _ = _LINK.unpack_from(body)
    found = _attributes(body[_LINK.size :])
    hardware = found.get(_IFLA_ADDRESS, b"")
    ethernet = kind == _ETHERNET and not flags & _NOARP
    return Link(
        index=index,
        name=found.get(_IFLA_IFNAME, b"").rstrip(b"\0").decode(errors="replace"),
        mac=Mac(hardware.hex(":")) if ethernet and len(hardware) == 6 else None,  # noqa: PLR2004 - an Ethernet address
        ethernet=ethernet,
    )


def addresses() -> tuple[Address, ...]:
    """Return all addresses of all interfaces."""
    return tuple(_address(body) for body in _ask(_GETADDR, _DUMP, _ADDRESS.pack(0, 0, 0, 0, 0)))


def _address(body: bytes) -> Address:
    _, prefix, _, _, index = _ADDRESS.unpack_from(body)
    found = _attributes(body[_ADDRESS.size :])
    return Address(index=index, ip=_ip(found.get(_IFA_LOCAL) or found[_IFA_ADDRESS]), prefix=prefix)


def route(address: Ip) -> Route | None:
    """Return the route that a connection to the address would take; None when there is none."""
    packed = ipaddress.ip_address(address)
    family, bits = _FAMILIES[packed.version], packed.max_prefixlen
    body = _ROUTE.pack(family, bits, 0, 0, 0, 0, 0, 0, 0) + _pack(_RTA_DST, packed.packed)
    try:
        answer = next(iter(_ask(_GETROUTE, 0, body)), None)
    except OSError as error:
        if error.errno in {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL, errno.EAFNOSUPPORT}:
            return None
        raise
    return None if answer is None else _route(answer)


def _route(body: bytes) -> Route:
    kind = _ROUTE.unpack_from(body)[7]
    found = _attributes(body[_ROUTE.size :])
    gateway, source = found.get(_RTA_GATEWAY), found.get(_RTA_PREFSRC)
    return Route(
        index=struct.unpack("=I", found.get(_RTA_OIF, bytes(4)))[0],
        gateway=_ip(gateway) if gateway else None,
        source=_ip(source) if source else None,
        local=kind == _RTN_LOCAL,
    )


def unresolved(address: Ip) -> Ip | None:
    """Return the next hop towards the address if it was asked for by ARP or NDP and did not answer, else None."""
    found = route(address)
    if found is None or found.local:
        return None
    hop = found.gateway or address
    packed = ipaddress.ip_address(hop)
    body = _NEIGHBOUR.pack(_FAMILIES[packed.version], found.index, 0, 0, 0) + _pack(_NDA_DST, packed.packed)
    try:
        answer = next(iter(_ask(_GETNEIGH, 0, body)), None)
    except OSError:
        return None  # no such entry, or a kernel before 5.0 that cannot look up one
    return hop if answer is not None and _NEIGHBOUR.unpack_from(answer)[2] & _UNRESOLVED else None


def _ask(kind: int, flags: int, body: bytes) -> Iterator[bytes]:
    """Yield the bodies of the answers; raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.settimeout(SECONDS)
        sock.sendto(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 1, 0) + body, (0, 0))
        while True:
            for answer, content in _messages(sock.recv(MAX_MESSAGE_BYTES)):
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    number = -struct.unpack_from("=i", content)[0]
                    raise OSError(number, os.strerror(number))
                yield content
                if not flags & _DUMP:
                    return


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind = _HEADER.unpack_from(data)[:2]
        if length < _HEADER.size:
            return
        yield kind, data[_HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = data[_ATTRIBUTE.size : length]
        data = data[(length + 3) & ~3 :]
    return found


def _pack(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value


def _ip(packed: bytes) -> Ip:
    return Ip(str(ipaddress.ip_address(packed)))
