"""Answers ARP and Neighbour Solicitation as an L2 announcer does, from frames on a node's own interface.

Modelled on Cilium's bpf/lib/arp.h (a request counts when it was broadcast or sent to the interface's own MAC; the
answer is unicast, its Ethernet source is the advertised MAC), pkg/datapath/gneigh (a gratuitous ARP is a broadcast
*reply*, sent only when an address is new) and RFC 4861 section 7; where MetalLB and kube-vip differ, `Telling` says
how. The functions are pure; `Responder` owns the sockets.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import socket
import struct
from collections.abc import Collection, Iterable

from l2probe.lab.driver import ONCE, Telling
from l2probe.lab.herald import Herald
from l2probe.lab.netns import Namespace
from l2probe.lab.topology import UPLINK

_ETH_ARP = 0x0806
_ETH_IPV6 = 0x86DD
_BROADCAST = b"\xff" * 6
_ALL_NODES = socket.inet_pton(socket.AF_INET6, "ff02::1")
_ALL_NODES_MAC = b"\x33\x33\x00\x00\x00\x01"
_ARP_BYTES, _SOLICITATION_BYTES = 42, 78
_ARP_ETHERNET_IPV4 = struct.pack("!HHBB", 1, 0x0800, 6, 4)
_REQUEST, _REPLY = 1, 2
_SOLICITATION, _ADVERTISEMENT = 135, 136
_SOLICITED, _OVERRIDE = 0x4000_0000, 0x2000_0000
_HOPS = 255
_FRAMES_AT_ONCE = 64
_GROUP_BIT = 0x01
_SO_ATTACH_FILTER = 26

# Classic BPF: keep ICMPv6 neighbour solicitations, so that ordinary IPv6 traffic never wakes this process.
_ONLY_SOLICITATIONS = (
    (0x30, 0, 0, 20),  # ldb [20]: the IPv6 next header
    (0x15, 0, 3, 58),  # jeq #icmpv6
    (0x30, 0, 0, 54),  # ldb [54]: the ICMPv6 type
    (0x15, 0, 1, _SOLICITATION),
    (0x06, 0, 0, 1514),
    (0x06, 0, 0, 0),
)


def arp_answer(frame: bytes, mac: bytes, owned: Collection[bytes]) -> bytes | None:
    """Return the reply to a who-has for one of the `owned` (packed) addresses, or None."""
    if len(frame) < _ARP_BYTES or frame[:6] not in {_BROADCAST, mac} or frame[14:20] != _ARP_ETHERNET_IPV4:
        return None
    (operation,) = struct.unpack_from("!H", frame, 20)
    asker, asker_ip, target = frame[22:28], frame[28:32], frame[38:42]
    if operation != _REQUEST or target not in owned:
        return None
    return _arp(destination=frame[6:12], mac=mac, ip=target, target_mac=asker, target_ip=asker_ip)


def gratuitous_arp(mac: bytes, ip: bytes, operation: int = _REPLY) -> bytes:
    """Return the broadcast reply (or request) that tells everyone who has `ip` (packed) now."""
    return _arp(destination=_BROADCAST, mac=mac, ip=ip, target_mac=_BROADCAST, target_ip=ip, operation=operation)


def _arp(
    *, destination: bytes, mac: bytes, ip: bytes, target_mac: bytes, target_ip: bytes, operation: int = _REPLY
) -> bytes:
    ethernet = destination + mac + struct.pack("!H", _ETH_ARP)
    return ethernet + _ARP_ETHERNET_IPV4 + struct.pack("!H", operation) + mac + ip + target_mac + target_ip


def ndp_answer(frame: bytes, mac: bytes, owned: Collection[bytes], *, overrides: bool = True) -> bytes | None:
    """Return the advertisement that answers a solicitation for one of the `owned` (packed) addresses, or None.

    `overrides`: it carries the Override flag and comes from the address itself; else neither.

    A solicitation from the unspecified address is duplicate address detection: its answer goes to all nodes (RFC 4861
    7.2.4).
    """
    if len(frame) < _SOLICITATION_BYTES or not (frame[0] & 1 or frame[:6] == mac):
        return None
    asker, target = frame[22:38], frame[62:78]
    if frame[20] != socket.IPPROTO_ICMPV6 or frame[21] != _HOPS or frame[54] != _SOLICITATION or target not in owned:
        return None
    if not any(asker):
        return _advertisement(_ALL_NODES_MAC, mac, source=target, to=_ALL_NODES, target=target, flags=_OVERRIDE)
    flags = _SOLICITED | (_OVERRIDE if overrides else 0)
    source = target if overrides else _link_local(mac)
    return _advertisement(frame[6:12], mac, source=source, to=asker, target=target, flags=flags)


def unsolicited_advertisement(mac: bytes, ip: bytes) -> bytes:
    """Return the advertisement that tells all nodes who has `ip` (packed) now, from the link-local address."""
    return _advertisement(_ALL_NODES_MAC, mac, source=_link_local(mac), to=_ALL_NODES, target=ip, flags=_OVERRIDE)


def _link_local(mac: bytes) -> bytes:
    return b"\xfe\x80" + bytes(6) + bytes((mac[0] ^ 2, *mac[1:3], 0xFF, 0xFE, *mac[3:]))


def _advertisement(destination: bytes, mac: bytes, *, source: bytes, to: bytes, target: bytes, flags: int) -> bytes:
    body = struct.pack("!I", flags) + target + b"\x02\x01" + mac
    length = 4 + len(body)
    pseudo = source + to + struct.pack("!II", length, socket.IPPROTO_ICMPV6)
    checksum = _checksum(pseudo + struct.pack("!BBH", _ADVERTISEMENT, 0, 0) + body)
    header = struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_ICMPV6, _HOPS)
    icmp = struct.pack("!BBH", _ADVERTISEMENT, 0, checksum) + body
    return destination + mac + struct.pack("!H", _ETH_IPV6) + header + source + to + icmp


def _checksum(data: bytes) -> int:
    """RFC 1071; `data` has an even length."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


class Responder:
    """Owns addresses on one interface of a machine: answers for them once `start` was called.

    `broadcast`, `multicast`: whether it hears who-has and solicitations that are sent to everybody.
    """

    def __init__(self, namespace: Namespace, mac: str, device: str = UPLINK) -> None:
        self.broadcast = self.multicast = True
        self._mac = bytes.fromhex(mac.replace(":", ""))
        self._owned: frozenset[bytes] = frozenset()
        self._telling = ONCE
        self._announced = Herald(self._speak)
        self._told = Herald(self._speak)
        with namespace.entered():
            self._arp = _listen(device, _ETH_ARP)
            self._ndp = _listen(device, _ETH_IPV6, _ONLY_SOLICITATIONS)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Answer from now on."""
        loop.add_reader(self._arp, self._read_arp)
        loop.add_reader(self._ndp, self._read_ndp)

    def own(self, addresses: frozenset[str], *, gratuitous: bool = True, telling: Telling = ONCE) -> None:
        """Answer for exactly these; tell everyone about those that are new, if `gratuitous`."""
        self._owned, self._telling = frozenset(_packed(address) for address in addresses), telling
        self._announced.know(self._owned, telling if gratuitous else None)

    def tell(self, addresses: frozenset[str], telling: Telling) -> None:
        """Tell everyone about those of these that are new, and answer nobody."""
        self._told.know(frozenset(_packed(address) for address in addresses), telling)

    def remind(self, also: Iterable[str]) -> None:
        """Tell everyone once whose all that is that it owns, and these addresses."""
        for ip in sorted(self._owned | {_packed(address) for address in also}):
            self._speak(ip, (_REPLY,), 0)

    def close(self) -> None:
        """Fall silent; before or after `start`."""
        self._announced.know(frozenset(), None)
        self._told.know(frozenset(), None)
        for listening in (self._arp, self._ndp):
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(listening)
            listening.close()

    def _speak(self, ip: bytes, operations: tuple[int, ...], frame_bytes: int) -> None:
        if len(ip) == 4:  # noqa: PLR2004 - an IPv4 address
            for operation in operations:
                self._send(self._arp, gratuitous_arp(self._mac, ip, operation), frame_bytes)
        else:
            self._send(self._ndp, unsolicited_advertisement(self._mac, ip))

    def _read_arp(self) -> None:
        for frame in self._heard(self._arp, everyone=self.broadcast):
            self._send(self._arp, arp_answer(frame, self._mac, self._owned), self._telling.frame_bytes)

    def _read_ndp(self) -> None:
        for frame in self._heard(self._ndp, everyone=self.multicast):
            self._send(self._ndp, ndp_answer(frame, self._mac, self._owned, overrides=self._telling.overrides))

    @staticmethod
    def _heard(listening: socket.socket, *, everyone: bool) -> list[bytes]:
        return [frame for frame in _frames(listening) if everyone or not frame[0] & _GROUP_BIT]

    @staticmethod
    def _send(through: socket.socket, frame: bytes | None, frame_bytes: int = 0) -> None:
        # A full queue or an unplugged cable loses frames, here as anywhere.
        if frame is not None:
            with contextlib.suppress(OSError):
                through.send(frame.ljust(frame_bytes, b"\0"))


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def _listen(device: str, protocol: int, program: tuple[tuple[int, int, int, int], ...] = ()) -> socket.socket:
    """Return a packet socket on an interface; it hears nothing before it is bound: no frame slips past the filter."""
    flags = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    listening = socket.socket(socket.AF_PACKET, flags, 0)
    if program:
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
        listening.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(code))
        )
    listening.bind((device, protocol))
    return listening


def _frames(listening: socket.socket) -> list[bytes]:
    """Take what has arrived, a bounded amount at a time; an interface that went down reports that once (ENETDOWN)."""
    taken: list[bytes] = []
    with contextlib.suppress(OSError):
        while len(taken) < _FRAMES_AT_ONCE:
            taken.append(listening.recv(2048))
    return taken
