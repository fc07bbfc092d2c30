"""Raw Ethernet frames of one interface through AF_PACKET: sent, received, stamped, bounded. Dissects nothing.

packet(7). Frames of other VLANs never get here (see `bpf`).
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache

from l2probe.errors import WireError
from l2probe.model import Ip
from l2probe.observe import bpf

BUFFER_BYTES = 4 * 1024 * 1024
ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4
SO_ATTACH_FILTER = 26
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
_TIMESPEC = struct.Struct("=qq")
_NEEDS = "It needs CAP_NET_RAW: run as root, or `sudo setcap cap_net_raw+ep` on a copy of the Python interpreter."


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame (cut at 64 KiB) with the kernel's time in Unix seconds. `outgoing`: this host sent it."""

    at: float
    outgoing: bool
    data: bytes


@cache
def permitted() -> bool:
    """Tell whether this process may open a raw socket; asked once, for the kernel takes milliseconds to close one."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError:
        return False
    return True


class Capture:
    """A listening raw socket; from `open` on no frame is missed unless the kernel's buffer overflows."""

    def __init__(self, interface: str) -> None:
        """Open it; raises WireError when the interface does not exist or raw sockets are not permitted."""
        self.interface = interface
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        except PermissionError as error:
            raise WireError(f"A raw socket on {interface} was not permitted.", _NEEDS) from error
        try:
            self._prepare()
        except OSError as error:
            self._socket.close()
            raise WireError(
                f"The interface {interface} could not be listened on: {error.strerror}.", "Pass --interface."
            ) from error

    def _prepare(self) -> None:
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self.watch(())
        self._socket.bind((self.interface, ETH_P_ALL))

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the socket's descriptor, for selectors."""
        return self._socket.fileno()

    def watch(self, addresses: Collection[Ip]) -> None:
        """Let IP packets to and from these addresses through, besides ARP, ND and ICMP errors."""
        try:
            self._filter(bpf.program(addresses))
        except OSError as error:
            if error.errno != errno.ENOMEM:
                raise
            self._filter(bpf.program_for_all_ip())

    def _filter(self, program: bytes) -> None:
        code = ctypes.create_string_buffer(program, len(program))
        header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, header)

    def send(self, frame: bytes) -> None:
        """Send a whole Ethernet frame; raises WireError when the interface is down or gone."""
        try:
            self._socket.send(frame)
        except BlockingIOError:
            return  # the device's queue is full: a question is asked more than once anyway
        except OSError as error:
            raise WireError(
                f"A frame could not be sent on {self.interface}: {error.strerror}.", "Check that the interface is up."
            ) from error

    def frames(self, most_bytes: int = bpf.SNAP_BYTES) -> Iterator[Frame]:
        """Yield what has arrived, cut at `most_bytes`; never waits. Raises WireError when the interface is gone."""
        while True:
            try:
                data, ancillary, _, address = self._socket.recvmsg(most_bytes, 128)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.ENETDOWN:
                    return  # it may come up again; a question that cannot be sent says so
                raise WireError(
                    f"Listening on {self.interface} ended: {error.strerror}.", "Check that the interface is up."
                ) from error
            yield Frame(at=_stamp(ancillary), outgoing=address[2] == PACKET_OUTGOING, data=data)


def _stamp(ancillary: list[tuple[int, int, bytes]]) -> float:
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return float(seconds + nanoseconds / 1e9)
    return time.time()
