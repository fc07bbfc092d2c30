"""The frames that ask who has an address, byte by byte: thousands of them are made in the time of a few layers. Pure.

ARP: RFC 826, 5227. Neighbour solicitation: RFC 4861 4.3, 7.2.2; its checksum: RFC 4443 2.3.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable, Sequence
from functools import cache

from l2probe.model import Ip, Mac
from l2probe.observe.netlink import Address

ANY_V4, ANY_V6 = Ip("0.0.0.0"), Ip("::")  # noqa: S104 - the unspecified address of a probe, not a listener
_BROADCAST, _NOBODY = b"\xff" * 6, bytes(6)
_ARP_QUESTION = bytes.fromhex("0806 0001 0800 06 04 0001")
_IPV6, _ICMPV6, _HOP_LIMIT = b"\x86\xdd\x60\0\0\0", 58, 255
_SOLICITATION, _SOURCE_LINK_LAYER = 135, b"\x01\x01"
_MAC_BYTES, _V6_SOURCE, _V6_TARGET, _V6_PAYLOAD = 6, 22, 38, 54
"""Offsets in an Ethernet frame that carries IPv6."""
_GROUP = bytes.fromhex("ff0200000000000000000001ff")


def packed_mac(mac: Mac) -> bytes:
    """Return a MAC as six octets."""
    return bytes.fromhex(mac.replace(":", ""))


def packed_ip(address: Ip) -> bytes:
    """Return an address as 4 or 16 octets."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def who_has(mac: Mac, source: Ip, address: Ip) -> bytes:
    """Return a broadcast ARP question for an address; source 0.0.0.0 makes it a probe that claims nothing."""
    return _asking(mac, source) + socket.inet_aton(address)


@cache
def _asking(mac: Mac, source: Ip) -> bytes:
    """Return all of an ARP question but the address: what thousands of them share."""
    ours = packed_mac(mac)
    return b"".join((_BROADCAST, ours, _ARP_QUESTION, ours, packed_ip(source), _NOBODY))


def neighbour_solicitation(mac: Mac, source: Ip, address: Ip) -> bytes:
    """Return a solicitation to the address's solicited-node group, hop limit 255; without source it is a probe."""
    ours, sender, target = packed_mac(mac), packed_ip(source), packed_ip(address)
    group = _GROUP + target[-3:]
    option = b"" if source == ANY_V6 else _SOURCE_LINK_LAYER + ours
    body = struct.pack("!BBHI", _SOLICITATION, 0, 0, 0) + target + option
    total = checksum(sender + group + struct.pack("!II", len(body), _ICMPV6) + body)
    header = _IPV6 + struct.pack("!HBB", len(body), _ICMPV6, _HOP_LIMIT) + sender + group
    return b"".join((b"\x33\x33", group[-4:], ours, header, body[:2], struct.pack("!H", total), body[4:]))


def to_one(ours: Mac, source: Ip, address: Ip, mac: Mac) -> bytes | None:
    """Return the question whether one machine has an address; None where there may be none.

    A solicitation goes to the address itself, and without a source it may not be unicast (RFC 4861 7.1.1, 7.2.2).
    """
    if ":" not in address:
        return packed_mac(mac) + who_has(ours, source, address)[_MAC_BYTES:]
    if source == ANY_V6:
        return None
    solicitation, target = neighbour_solicitation(ours, source, address), packed_ip(address)
    body = bytearray(solicitation[_V6_PAYLOAD:])
    body[2:4] = b"\0\0"
    pseudo = solicitation[_V6_SOURCE:_V6_TARGET] + target + struct.pack("!II", len(body), _ICMPV6)
    body[2:4] = struct.pack("!H", checksum(pseudo + bytes(body)))
    return packed_mac(mac) + solicitation[_MAC_BYTES:_V6_TARGET] + target + bytes(body)


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of an even number of octets."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def source_for(ours: Sequence[Address]) -> Callable[[Ip], Ip]:
    """Return what finds our own address to ask from: that in the subnet; for IPv6 else the link-local one; else none.

    Without one of ours in its subnet an ARP question is a probe (RFC 5227), which claims nothing.
    """
    subnets = [(own.network, own.ip) for own in ours]
    fast = [(int(net.netmask), int(net.network_address), ip) for net, ip in subnets if net.version == 4]  # noqa: PLR2004 - IPv4
    link_local = next((own.ip for own in ours if ipaddress.ip_address(own.ip).is_link_local and ":" in own.ip), ANY_V6)

    def find(address: Ip) -> Ip:
        if ":" not in address:
            number = int.from_bytes(socket.inet_aton(address))
            return next((ip for mask, network, ip in fast if number & mask == network), ANY_V4)
        wanted = ipaddress.ip_address(address)
        return next((ip for subnet, ip in subnets if wanted in subnet), link_local)

    return find
