"""The lab's network namespaces: tuned before their first link exists, held by file descriptors of this process."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from l2probe.lab import kernel
from l2probe.lab.rtnetlink import Netlink

_SIOCETHTOOL = 0x8946
# Of linux/ethtool.h: STXCSUM, STSO, SGSO and SGRO.
_OFFLOADS = (0x17, 0x1F, 0x24, 0x2C)

# conf/default is copied when an interface is registered, so all this is written while only `lo` exists.
EVERYONE = {
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/default/dad_transmits": "0",
    "ipv6/conf/default/accept_ra": "0",
    "ipv6/conf/default/router_solicitations": "0",
    "ipv6/conf/default/disable_ipv6": "0",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
}
ROUTERS = EVERYONE | {
    "ipv4/ip_forward": "1",
    "ipv6/conf/all/forwarding": "1",
    "ipv6/conf/default/forwarding": "1",
    "ipv4/conf/all/send_redirects": "0",
    "ipv4/conf/default/send_redirects": "0",
}
SWITCH = {
    "ipv6/conf/default/disable_ipv6": "1",
}


class Namespace:
    """A network namespace with an rtnetlink socket in it."""

    def __init__(self, descriptor: int, sysctls: Mapping[str, str]) -> None:
        self.descriptor = descriptor
        with self.entered():
            self.netlink = Netlink()
            for name, value in sysctls.items():
                Path("/proc/sys/net", name).write_text(value)

    @classmethod
    def new(cls, sysctls: Mapping[str, str]) -> Namespace:
        """Make one. OSError when the kernel refuses."""
        return cls(kernel.new_network(), sysctls)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Run a block in it; sockets made there stay there. Must not span an await."""
        with kernel.inside(self.descriptor):
            yield

    def honest_frames(self, *interfaces: str) -> None:
        """Switch segmentation and checksum offloads off, so that frames on the wire are as long as they claim."""
        with self.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            for interface in interfaces:
                for command in _OFFLOADS:
                    _ethtool(any_socket, interface, command)

    def close(self) -> None:
        """Let go of it; the kernel takes it down when its last process is gone."""
        self.netlink.close()
        os.close(self.descriptor)


def _ethtool(any_socket: socket.socket, interface: str, command: int) -> None:
    value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
    fcntl.ioctl(any_socket, _SIOCETHTOOL, struct.pack("16sP", interface.encode(), ctypes.addressof(value)))
