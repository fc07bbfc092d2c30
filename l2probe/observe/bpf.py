"""The kernel-side filter of the listening socket as a classic BPF program. Pure.

It passes what may concern us, so that a busy host does not drown the listener: ARP; ICMP "unreachable"; ICMPv6 errors
and neighbour discovery; IP packets to or from watched addresses. Exactness comes later, in Python.
linux/filter.h, Documentation/networking/filter.rst; no libpcap.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Collection, Iterable, Sequence

from l2probe.model import Ip

SNAP_BYTES = 0xFFFF
MAX_WATCHED = 100
"""With more addresses all IP passes: a socket may hold little memory for filters (net.core.optmem_max, once 20 KiB)."""
_INSTRUCTION = struct.Struct("=HBBI")
_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE = 0x20, 0x28, 0x30
_LOAD_BYTE_INDEXED, _LOAD_HEADER_LENGTH = 0x50, 0xB1
_JUMP, _JUMP_EQUAL, _AND, _RETURN = 0x05, 0x15, 0x54, 0x06
_VLAN_TAG = 0xFFFFF000 + 44
"""SKF_AD_OFF + SKF_AD_VLAN_TAG: the tag that the NIC took off, 0 without one."""
_VLAN_ID = 0x0FFF
_ETHERTYPE, _FIRST = 12, 14
_ARP, _IPV4, _IPV6 = 0x0806, 0x0800, 0x86DD
_V4_PROTOCOL, _V4_SOURCE, _V4_TARGET = _FIRST + 9, _FIRST + 12, _FIRST + 16
_V6_NEXT, _V6_SOURCE, _V6_TARGET, _V6_PAYLOAD = _FIRST + 6, _FIRST + 8, _FIRST + 24, _FIRST + 40
_ICMP, _ICMPV6 = 1, 58
ICMP_UNREACHABLE = 3
ICMPV6_KINDS = (1, 2, 135, 136)
"""Destination unreachable, packet too big (RFC 4443); neighbour solicitation and advertisement (RFC 4861)."""

Instruction = tuple[int, int, int, int]
_ACCEPT: Instruction = (_RETURN, 0, 0, SNAP_BYTES)
_REJECT: Instruction = (_RETURN, 0, 0, 0)


def program(addresses: Collection[Ip]) -> bytes:
    """Return the filter as an array of struct sock_filter; all IP passes when too many addresses are watched."""
    return program_for_all_ip() if len(addresses) > MAX_WATCHED else _packed(instructions(addresses))


def program_for_all_ip() -> bytes:
    """Return the coarse filter: what `program` passes, and all IP but ICMP that is no error."""
    return _packed(_whole([_ACCEPT], [_ACCEPT]))


def _packed(listed: Iterable[Instruction]) -> bytes:
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in listed)


def instructions(addresses: Collection[Ip]) -> tuple[Instruction, ...]:
    """Return the filter for Ethernet frames of the untagged segment."""
    packed = {ipaddress.ip_address(address).packed for address in addresses}
    return _whole(
        _addresses(packed, 4, (_V4_SOURCE, _V4_TARGET)),
        _addresses(packed, 16, (_V6_SOURCE, _V6_TARGET)),
    )


def _whole(wanted_v4: Sequence[Instruction], wanted_v6: Sequence[Instruction]) -> tuple[Instruction, ...]:
    v4 = (*_icmp_v4(), *wanted_v4, _REJECT)
    return (
        (_LOAD_WORD, 0, 0, _VLAN_TAG),
        (_AND, 0, 0, _VLAN_ID),
        (_JUMP_EQUAL, 1, 0, 0),
        _REJECT,
        (_LOAD_HALF, 0, 0, _ETHERTYPE),
        *_accept_if(_ARP),
        (_JUMP_EQUAL, 1, 0, _IPV4),
        (_JUMP, 0, 0, len(v4)),
        *v4,
        (_JUMP_EQUAL, 1, 0, _IPV6),
        _REJECT,
        *_icmp_v6(),
        *wanted_v6,
        _REJECT,
    )


def _accept_if(value: int) -> tuple[Instruction, Instruction]:
    return (_JUMP_EQUAL, 0, 1, value), _ACCEPT


def _icmp_v4() -> tuple[Instruction, ...]:
    return (
        (_LOAD_BYTE, 0, 0, _V4_PROTOCOL),
        (_JUMP_EQUAL, 0, 5, _ICMP),
        (_LOAD_HEADER_LENGTH, 0, 0, _FIRST),
        (_LOAD_BYTE_INDEXED, 0, 0, _FIRST),
        *_accept_if(ICMP_UNREACHABLE),
        _REJECT,
    )


def _icmp_v6() -> tuple[Instruction, ...]:
    kinds = tuple(instruction for kind in ICMPV6_KINDS for instruction in _accept_if(kind))
    return (
        (_LOAD_BYTE, 0, 0, _V6_NEXT),
        (_JUMP_EQUAL, 0, len(kinds) + 2, _ICMPV6),
        (_LOAD_BYTE, 0, 0, _V6_PAYLOAD),
        *kinds,
        _REJECT,
    )


def _addresses(packed: Iterable[bytes], size: int, offsets: Iterable[int]) -> list[Instruction]:
    """Accept a packet with one of these addresses at one of the offsets; of IPv6 the last 32 bits are enough here."""
    words = sorted({struct.unpack("!I", address[-4:])[0] for address in packed if len(address) == size})
    return [
        instruction
        for offset in offsets
        for instruction in ((_LOAD_WORD, 0, 0, offset + size - 4), *(i for word in words for i in _accept_if(word)))
    ]
