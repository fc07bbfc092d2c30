"""Unicast who-has and neighbour solicitations: what a client sends that knows the address already. Sends only.

Told apart from broadcast, because some announcers hear only one of them. ARP: RFC 826; NUD: RFC 4861 7.3.
The listening wire hears these questions and their answers, as a raw socket hears what other sockets send.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Self

from l2probe.errors import WireError
from l2probe.model import Ip, Mac
from l2probe.observe import netlink
from l2probe.observe.capture import Capture
from l2probe.observe.questions import ANY_V6, checksum, neighbour_solicitation, packed_mac, source_for, who_has

MAC_BYTES = 6
V6_SOURCE, V6_TARGET, V6_PAYLOAD = 22, 38, 54
"""Offsets in an Ethernet frame that carries IPv6."""
CHECKSUM = slice(V6_PAYLOAD + 2, V6_PAYLOAD + 4)
ICMPV6 = 58


class Solicitor:
    """One interface to ask from; a context manager."""

    def __init__(self, interface: str) -> None:
        """Open it; raises WireError."""
        link = next((link for link in netlink.links() if link.name == interface), None)
        if link is None or link.mac is None:
            raise WireError(f"The interface {interface} is not Ethernet.", "Pass --interface.")
        self._mac = link.mac
        self._source = source_for([address for address in netlink.addresses() if address.index == link.index])
        self._capture = Capture(interface)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._capture.close()

    def ask(self, address: Ip, mac: Mac) -> None:
        """Ask the machine with this MAC whether it has this address."""
        source = self._source(address)
        if ":" not in address:
            self._capture.send(packed_mac(mac) + who_has(self._mac, source, address)[MAC_BYTES:])
        elif source != ANY_V6:  # a solicitation without source may not be unicast (RFC 4861 7.1.1)
            self._capture.send(to_one(neighbour_solicitation(self._mac, source, address), address, mac))


def to_one(solicitation: bytes, address: Ip, mac: Mac) -> bytes:
    """Return a solicitation to the address itself at one MAC, instead of to its group, with its checksum made anew."""
    target = ipaddress.ip_address(address).packed
    body = bytearray(solicitation[V6_PAYLOAD:])
    body[2:4] = b"\0\0"
    pseudo = solicitation[V6_SOURCE:V6_TARGET] + target + struct.pack("!II", len(body), ICMPV6)
    frame = bytearray(packed_mac(mac) + solicitation[MAC_BYTES:V6_TARGET] + target + bytes(body))
    frame[CHECKSUM] = struct.pack("!H", checksum(pseudo + bytes(body)))
    return bytes(frame)
