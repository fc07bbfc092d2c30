"""Unicast who-has and neighbour solicitations: what a client sends that knows the address already. Sends only.

Told apart from broadcast, because some announcers hear only one of them. ARP: RFC 826; NUD: RFC 4861 7.3.
The listening wire hears these questions and their answers, as a raw socket hears what other sockets send.
"""

from __future__ import annotations

from typing import Self

from l2probe.errors import WireError
from l2probe.model import Ip, Mac
from l2probe.observe import netlink
from l2probe.observe.capture import Capture
from l2probe.observe.questions import source_for, to_one


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
        frame = to_one(self._mac, self._source(address), address, mac)
        if frame is not None:
            self._capture.send(frame)
