"""Kernel sockets for exchanges, and what their errors mean. No protocol of ours."""

from __future__ import annotations

import errno
import fcntl
import ipaddress
import os
import socket
import struct
from dataclasses import dataclass

from l2probe.model import Ip, Outcome, Protocol
from l2probe.observe import netlink

IP_RECVERR, IPV6_RECVERR = 11, 25
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER = 10, 23
PMTUDISC_DO = 2
"""Set "don't fragment" (ip(7)): fragments would hide that a full-size message does not pass."""
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_ORIGIN_ICMP = frozenset({2, 3})
_ICMP_TOO_BIG = frozenset({(4, 3, 4), (6, 2, 0)})
"""(IP version, type, code) of "fragmentation needed" (RFC 1191) and "packet too big" (RFC 8201)."""
_KINDS = {Protocol.TCP: socket.SOCK_STREAM, Protocol.UDP: socket.SOCK_DGRAM}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """How an exchange ended badly."""

    outcome: Outcome
    detail: str
    icmp: tuple[int, int] | None = None
    unsent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IcmpError:
    """An entry of a socket's error queue that an ICMP message made; `sender` may be this host itself."""

    type: int
    code: int
    sender: Ip | None


ERRORS = {
    errno.ECONNREFUSED: (Outcome.REFUSED_RST, ""),
    errno.ECONNRESET: (Outcome.RESET, "the connection was reset"),
    errno.EPIPE: (Outcome.RESET, "the connection was reset"),
    errno.EHOSTUNREACH: (Outcome.NO_NEIGHBOUR, "nobody answered for the next hop"),
    errno.ENETUNREACH: (Outcome.NO_NEIGHBOUR, "no route leads there"),
    errno.EMSGSIZE: (Outcome.TIMEOUT, "message longer than the local MTU"),
    errno.EADDRNOTAVAIL: (Outcome.NO_NEIGHBOUR, "no local address of this family"),
    errno.EAFNOSUPPORT: (Outcome.NO_NEIGHBOUR, "this host does not speak this family"),
    errno.EPERM: (Outcome.TIMEOUT, "a local firewall dropped it"),
    errno.EACCES: (Outcome.TIMEOUT, "a local firewall or route forbade it"),
}
"""What an errno says when no ICMP message says more."""
UNSENT = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPERM, errno.EACCES})
"""Errors by which our own kernel says that it sent nothing."""
_HEADER_BYTES = {socket.AF_INET: 20 + 8, socket.AF_INET6: 40 + 8}
"""IP (RFC 791, RFC 8200) and UDP (RFC 768) headers."""
_SIOCGIFMTU = 0x8921


def open_socket(protocol: Protocol, vip: Ip) -> socket.socket:
    """Return a non-blocking socket that reports ICMP errors at once; UDP does not fragment. Raises OSError."""
    v6 = ipaddress.ip_address(vip).version == 6  # noqa: PLR2004 - the IP version
    sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, _KINDS[protocol])
    sock.setblocking(False)
    level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
    sock.setsockopt(level, IPV6_RECVERR if v6 else IP_RECVERR, 1)
    if protocol is Protocol.UDP:
        sock.setsockopt(level, IPV6_MTU_DISCOVER if v6 else IP_MTU_DISCOVER, PMTUDISC_DO)
    return sock


def trouble_of(sock: socket.socket, error: OSError, vip: Ip, payload_bytes: int = 0) -> Trouble:
    """Return what an error on this socket means; `payload_bytes`: how much was to be sent."""
    icmp = icmp_error(sock)
    if icmp is not None and not _ours(icmp.sender):
        return _refusal(icmp, ipaddress.ip_address(vip).version)
    outcome, detail = ERRORS.get(error.errno or 0, (Outcome.TIMEOUT, os.strerror(error.errno or 0)))
    if outcome is Outcome.REFUSED_RST and sock.type == socket.SOCK_DGRAM:
        return Trouble(outcome=Outcome.REFUSED_ICMP, detail="an ICMP message that was not kept")
    if error.errno == errno.EMSGSIZE and _fits_the_link(sock, vip, payload_bytes):
        return Trouble(outcome=outcome, detail="longer than the path's MTU, which a router told before")
    return Trouble(outcome=outcome, detail=detail, unsent=error.errno in {*UNSENT, errno.EMSGSIZE})


def _fits_the_link(sock: socket.socket, vip: Ip, payload_bytes: int) -> bool:
    """Tell whether our own link would carry the datagram, so that it is the path beyond that does not."""
    found = netlink.route(vip)
    if found is None:
        return False
    try:
        wanted = struct.pack("16si", socket.if_indextoname(found.index).encode(), 0)
        _, mtu = struct.unpack("16si", fcntl.ioctl(sock, _SIOCGIFMTU, wanted))
    except OSError:
        return False
    return payload_bytes + _HEADER_BYTES[sock.family] <= int(mtu)


def _refusal(icmp: IcmpError, version: int) -> Trouble:
    kind = (icmp.type, icmp.code)
    if (version, *kind) in _ICMP_TOO_BIG:
        return Trouble(outcome=Outcome.TIMEOUT, detail=f"{icmp.sender} asked for smaller packets", icmp=kind)
    return Trouble(
        outcome=Outcome.REFUSED_ICMP, detail=f"ICMP type {kind[0]} code {kind[1]} from {icmp.sender}", icmp=kind
    )


def _ours(sender: Ip | None) -> bool:
    """Tell whether the "ICMP message" is our own kernel's word that the neighbour did not answer."""
    if sender is None:
        return False
    found = netlink.route(sender)
    return found is not None and found.local and not ipaddress.ip_address(sender).is_loopback


def icmp_error(sock: socket.socket) -> IcmpError | None:
    """Take the next ICMP error from the socket's error queue (ip(7), struct sock_extended_err)."""
    try:
        _, ancillary, _, _ = sock.recvmsg(1, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return None
    for level, kind, data in ancillary:
        wanted = (level, kind) in {(socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)}
        if wanted and len(data) >= _EXTENDED_ERROR.size:
            _, origin, icmp_type, code, _, _, _ = _EXTENDED_ERROR.unpack_from(data)
            if origin in _ORIGIN_ICMP:
                return IcmpError(type=icmp_type, code=code, sender=_offender(data[_EXTENDED_ERROR.size :]))
    return None


def _offender(address: bytes) -> Ip | None:
    """Return the address in a struct sockaddr_in or sockaddr_in6."""
    family = struct.unpack_from("=H", address)[0] if len(address) >= 16 else 0  # noqa: PLR2004 - sizeof(sockaddr_in)
    if family == socket.AF_INET:
        return Ip(str(ipaddress.ip_address(address[4:8])))
    if family == socket.AF_INET6 and len(address) >= 24:  # noqa: PLR2004 - up to sin6_addr's end
        return Ip(str(ipaddress.ip_address(address[8:24])))
    return None
