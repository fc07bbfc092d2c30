"""What a raw socket heard, kept within bounds and readable from any thread. It does not dissect frames itself."""

from __future__ import annotations

import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Protocol

from l2probe.errors import WireError
from l2probe.observe.capture import Frame
from l2probe.observe.frames import Heard, IcmpMessage, Packet, Question, Told

MAX_FRAMES = 20_000
MAX_BYTES = 16 * 1024 * 1024
MAX_INSIDE = 2_000
"""Segments inside connections that are dissected: a flood of them costs a second, not a minute."""
_ETHERTYPE, _ARP, _IPV4, _IPV6 = slice(12, 14), b"\x08\x06", b"\x08\x00", b"\x86\xdd"
_ICMPV6, _TCP = b"\x3a", b"\x06"
_DISCOVERY = (b"\x87", b"\x88")
_SYN_OR_RST = 0x02 | 0x04


class Source(Protocol):
    """Where frames come from."""

    def fileno(self) -> int:
        """Return what becomes readable when a frame has arrived."""
        ...

    def frames(self) -> Iterable[Frame]:
        """Yield what has arrived; raises WireError when no more can come."""
        ...


class Store:
    """The newest frames, within MAX_FRAMES and MAX_BYTES."""

    def __init__(self) -> None:
        self.frames: deque[Frame] = deque()
        self._bytes = 0

    def add(self, frame: Frame) -> None:
        """Keep a frame; the oldest go when there is no more room."""
        self.frames.append(frame)
        self._bytes += len(frame.data)
        while len(self.frames) > MAX_FRAMES or self._bytes > MAX_BYTES:
            self._bytes -= len(self.frames.popleft().data)


class Recording:
    """A thread's `run` listens; whoever reads first takes in what the socket already holds, so nothing is missed."""

    def __init__(self, capture: Source, dissect: Callable[[Frame], Heard | None]) -> None:
        self._capture = capture
        self._dissect = dissect
        self._changed = threading.Condition(threading.RLock())
        self._telling = Store()
        self._bulk = Store()
        self._told: deque[Question | Told] = deque(maxlen=MAX_FRAMES)
        self._traffic: deque[Packet | IcmpMessage] = deque(maxlen=MAX_FRAMES)
        self._undissected: deque[Frame] = deque(maxlen=MAX_FRAMES)
        self._error: WireError | None = None
        self._count = 0
        self._stopping = os.eventfd(0, os.EFD_NONBLOCK)

    def run(self) -> None:
        """Listen until `stop`."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._capture, selectors.EVENT_READ)
            selector.register(self._stopping, selectors.EVENT_READ, data="stop")
            while self._error is None:
                if any(key.data for key, _ in selector.select()):
                    return
                self._take_in()

    def stop(self) -> None:
        """End `run`."""
        os.eventfd_write(self._stopping, 1)

    def close(self) -> None:
        """Give back the descriptor; after `run` has ended."""
        os.close(self._stopping)

    def _take_in(self) -> None:
        with self._changed:
            before = self._count, self._error
            try:
                self._sort(self._capture.frames())
            except WireError as error:
                self._error = error
            if before != (self._count, self._error):  # else those who wait would wake each other for ever
                self._changed.notify_all()

    def _sort(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            self._count += 1
            if is_bulk(frame.data):
                self._bulk.add(frame)
                continue
            self._telling.add(frame)
            if not is_neighbour(frame.data):
                self._undissected.append(frame)  # not now: an exchange is under way
            elif isinstance(heard := self._dissect(frame), (Question, Told)):
                self._told.append(heard)

    def note_sent(self, frame: Frame) -> None:
        """Keep a frame that we are about to send ourselves: a raw socket does not hear what it sends."""
        with self._changed:
            self._sort([frame])

    def _current(self) -> None:
        self._take_in()
        if self._error is not None:
            raise self._error

    def told(self, since: float = 0.0) -> tuple[Question | Told, ...]:
        """Return questions and what was told about addresses since then; raises WireError when listening ended."""
        with self._changed:
            self._current()
            return tuple(item for item in self._told if item.at >= since)

    def traffic(self) -> tuple[Packet | IcmpMessage, ...]:
        """Return all datagrams, SYNs, RSTs and ICMP errors; raises WireError when listening ended."""
        with self._changed:
            self._current()
            while self._undissected:
                heard = self._dissect(self._undissected.popleft())
                if isinstance(heard, (Packet, IcmpMessage)):
                    self._traffic.append(heard)
            return tuple(self._traffic)

    def inside(self, wanted: Callable[[Frame], bool]) -> tuple[Packet, ...]:
        """Return those TCP segments inside connections that are wanted; raises WireError when listening ended."""
        with self._changed:
            self._current()
            heard = [self._dissect(frame) for frame in islice(filter(wanted, self._bulk.frames), MAX_INSIDE)]
        return tuple(item for item in heard if isinstance(item, Packet))

    def frames(self) -> tuple[Frame, ...]:
        """Return the frames that are kept."""
        with self._changed:
            self._take_in()
            return (*self._telling.frames, *self._bulk.frames)

    def wait(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Wait until `ready` holds, looking after each arrival; False after `seconds`."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not ready():
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
            return True


def is_neighbour(data: bytes) -> bool:
    """Tell whether the frame is ARP or neighbour discovery."""
    if data[_ETHERTYPE] == _ARP:
        return True
    return data[_ETHERTYPE] == _IPV6 and data[20:21] == _ICMPV6 and data[54:55] in _DISCOVERY


def is_bulk(data: bytes) -> bool:
    """Tell whether the frame is a TCP segment inside a connection: no SYN and no RST, so that it tells nothing new."""
    if data[_ETHERTYPE] == _IPV4 and data[23:24] == _TCP:
        flags = data[14 + (data[14] & 15) * 4 + 13 :][:1]
    elif data[_ETHERTYPE] == _IPV6 and data[20:21] == _TCP:
        flags = data[54 + 13 : 54 + 14]
    else:
        return False
    return bool(flags) and not flags[0] & _SYN_OR_RST
