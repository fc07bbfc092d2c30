"""The flow that an ICMP error quotes. Pure; by hand: routers quote as little as eight bytes of TCP (RFC 792)."""

from __future__ import annotations

import ipaddress
import struct

from l2probe.model import Ip, Protocol
from l2probe.observe.frames import Flow

PROTOCOLS = {6: Protocol.TCP, 17: Protocol.UDP}
_V4_BYTES, _V6_BYTES = 20, 40
_PORTS = struct.Struct("!HH")


def quoted_flow(data: bytes) -> Flow | None:
    """Return the flow of a quoted IP packet, which may be cut; None when it is no TCP or UDP packet."""
    version = data[0] >> 4 if data else 0
    if version == 4 and len(data) >= _V4_BYTES:  # noqa: PLR2004 - the IP version
        return _flow(data[9], data[12:16], data[16:20], data[(data[0] & 15) * 4 :])
    if version == 6 and len(data) >= _V6_BYTES:  # noqa: PLR2004 - the IP version
        return _flow(data[6], data[8:24], data[24:40], data[_V6_BYTES:])
    return None


def _flow(protocol: int, source: bytes, target: bytes, transport: bytes) -> Flow | None:
    if protocol not in PROTOCOLS or len(transport) < _PORTS.size:
        return None
    source_port, target_port = _PORTS.unpack_from(transport)
    return PROTOCOLS[protocol], _ip(source), source_port, _ip(target), target_port


def _ip(packed: bytes) -> Ip:
    return Ip(str(ipaddress.ip_address(packed)))
