"""Links, addresses and routes through a netlink socket of one namespace (rtnetlink(7)).

Blocking, but only for the kernel's work. A library would need an event loop of its own, which a running one forbids;
Pods come and go while the lab runs. Functions build requests, `Netlink.do` sends them in one datagram and waits for
the kernel's answers.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from dataclasses import dataclass

_NLMSG_ERROR = 2
_F_REQUEST, _F_ACK, _F_EXCL, _F_CREATE = 0x1, 0x4, 0x200, 0x400
_NEW = _F_CREATE | _F_EXCL
_RTM_NEWLINK, _RTM_DELLINK, _RTM_NEWADDR, _RTM_DELADDR, _RTM_NEWROUTE, _RTM_DELROUTE = 16, 17, 20, 21, 24, 25
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 10, 18, 28
_INFO_KIND, _INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_BR_FORWARD_DELAY, _BR_STP_STATE, _BR_MCAST_SNOOPING = 1, 5, 23
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS, _IFA_F_NODAD = 1, 2, 8, 0x02
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_RTM_SETNEIGHTBL, _NDTA_NAME, _NDTA_PARMS, _NDTPA_IFINDEX, _NDTPA_LOCKTIME = 67, 1, 6, 1, 15
_RT_TABLE_MAIN, _RTPROT_STATIC, _RTN_UNICAST, _RTNH_F_ONLINK = 254, 4, 1, 4
_SCOPE_UNIVERSE, _SCOPE_LINK = 0, 253
_IFF_UP = 0x1
_ANSWER_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Request:
    """One rtnetlink message without its header; `what` names it in errors."""

    kind: int
    flags: int
    payload: bytes
    what: str


class Netlink:
    """An rtnetlink socket of the network namespace in which it was made."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._serial = 0

    def do(self, *requests: Request) -> None:
        """Carry out all requests in order; OSError names the first that failed (the others were still tried)."""
        first = self._serial + 1
        self._serial += len(requests)
        self._socket.send(b"".join(_message(request, first + at) for at, request in enumerate(requests)))
        failures = []
        awaited = len(requests)
        while awaited:
            for serial, number in _acknowledged(self._socket.recv(_ANSWER_BYTES)):
                awaited -= 1
                if number:
                    failures.append((number, requests[serial - first].what))
        for number, what in failures:
            raise OSError(number, f"{what}: {os.strerror(number)}")

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _message(request: Request, serial: int) -> bytes:
    flags = request.flags | _F_REQUEST | _F_ACK
    header = struct.pack("=IHHII", 16 + len(request.payload), request.kind, flags, serial, 0)
    return _padded(header + request.payload)


def _acknowledged(answer: bytes) -> list[tuple[int, int]]:
    """Return (serial, errno) of each acknowledgement in a datagram from the kernel."""
    found = []
    while len(answer) >= 16:  # noqa: PLR2004 - struct nlmsghdr
        length, kind, _, serial, _ = struct.unpack_from("=IHHII", answer)
        if kind == _NLMSG_ERROR:
            found.append((serial, -struct.unpack_from("=i", answer, 16)[0]))
        answer = answer[(length + 3) & ~3 :]
    return found


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _attribute(kind: int, value: bytes) -> bytes:
    return _padded(struct.pack("=HH", 4 + len(value), kind) + value)


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _link(index: int = 0, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


def _hardware(mac: str) -> bytes:
    return _attribute(_IFLA_ADDRESS, bytes.fromhex(mac.replace(":", "")))


def _linkinfo(kind: str, data: bytes) -> bytes:
    return _attribute(_IFLA_LINKINFO, _text(_INFO_KIND, kind) + _attribute(_INFO_DATA, data))


def bridge(name: str, index: int) -> Request:
    """Make a bridge that forwards at once and floods all multicast, as a plain switch does."""
    data = _number(_BR_FORWARD_DELAY, 0) + _number(_BR_STP_STATE, 0) + _attribute(_BR_MCAST_SNOOPING, b"\0")
    payload = _link(index) + _text(_IFLA_IFNAME, name) + _linkinfo("bridge", data)
    return Request(_RTM_NEWLINK, _NEW, payload, f"add bridge {name}")


def cable(name: str, index: int, *, peer: str, peer_index: int, peer_network: int, peer_mac: str) -> Request:
    """Make a veth pair, one end here, the other in the namespace behind `peer_network`."""
    other = _link(peer_index) + _text(_IFLA_IFNAME, peer) + _hardware(peer_mac) + _number(_IFLA_NET_NS_FD, peer_network)
    payload = _link(index) + _text(_IFLA_IFNAME, name) + _linkinfo("veth", _attribute(_VETH_INFO_PEER, other))
    return Request(_RTM_NEWLINK, _NEW, payload, f"add veth {name}")


def enslave(index: int, bridge_index: int) -> Request:
    """Plug an interface into a bridge."""
    return Request(_RTM_NEWLINK, 0, _link(index) + _number(_IFLA_MASTER, bridge_index), f"enslave {index}")


def remove(index: int) -> Request:
    """Take an interface away, and with it its peer."""
    return Request(_RTM_DELLINK, 0, _link(index), f"remove link {index}")


def up(index: int) -> Request:
    """Switch an interface on."""
    return Request(_RTM_NEWLINK, 0, _link(index, _IFF_UP, _IFF_UP), f"set link {index} up")


def _address(index: int, cidr: str) -> bytes:
    interface = ipaddress.ip_interface(cidr)
    family = socket.AF_INET if interface.version == 4 else socket.AF_INET6  # noqa: PLR2004 - the IP version
    scope = _SCOPE_LINK if interface.is_link_local else _SCOPE_UNIVERSE
    packed = interface.ip.packed
    header = struct.pack("=BBBBi", family, interface.network.prefixlen, 0, scope, index)
    return header + _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)


def address(index: int, cidr: str) -> Request:
    """Give an interface an address, without duplicate address detection."""
    payload = _address(index, cidr) + _number(_IFA_FLAGS, _IFA_F_NODAD)
    return Request(_RTM_NEWADDR, _NEW, payload, f"add address {cidr}")


def host(address: str) -> str:
    """Return an address as a range that holds nothing else."""
    return f"{address}/{128 if ':' in address else 32}"


def remove_address(index: int, cidr: str) -> Request:
    """Take an address away from an interface."""
    return Request(_RTM_DELADDR, 0, _address(index, cidr), f"remove address {cidr}")


def route(cidr: str, index: int, *, via: str | None = None) -> Request:
    """Send a range out of an interface, directly or through a neighbour (which need not be in a known range)."""
    return Request(_RTM_NEWROUTE, _NEW, _route(cidr, index, via), f"add route {cidr}")


def remove_route(cidr: str, index: int, *, via: str | None = None) -> Request:
    """Take a route away."""
    return Request(_RTM_DELROUTE, 0, _route(cidr, index, via), f"remove route {cidr}")


def neighbour_lock(index: int, seconds: int) -> Request:
    """Let an interface keep an ARP entry against other MACs for so long after each change (locktime).

    By netlink, because a user namespace does not see net.ipv4.neigh.
    """
    lock = _number(_NDTPA_IFINDEX, index) + _attribute(_NDTPA_LOCKTIME, struct.pack("=Q", seconds * 1000))
    payload = struct.pack("=Bxxx", socket.AF_INET) + _text(_NDTA_NAME, "arp_cache") + _attribute(_NDTA_PARMS, lock)
    return Request(_RTM_SETNEIGHTBL, 0, payload, f"set locktime of link {index}")


def _route(cidr: str, index: int, via: str | None) -> bytes:
    network = ipaddress.ip_network(cidr)
    is4 = network.version == 4  # noqa: PLR2004 - the IP version
    scope = _SCOPE_LINK if is4 and not via else _SCOPE_UNIVERSE
    kinds = (_RT_TABLE_MAIN, _RTPROT_STATIC, scope, _RTN_UNICAST)
    family = socket.AF_INET if is4 else socket.AF_INET6
    payload = struct.pack("=8BI", family, network.prefixlen, 0, 0, *kinds, _RTNH_F_ONLINK if via else 0)
    payload += _attribute(_RTA_DST, network.network_address.packed) if network.prefixlen else b""
    payload += _number(_RTA_OIF, index)
    return payload + (_attribute(_RTA_GATEWAY, ipaddress.ip_address(via).packed) if via else b"")
