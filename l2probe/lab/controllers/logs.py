"""What containers wrote: the last lines of each, read from a pipe by the event loop. Bounded; knows no Pod."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol

MAX_BYTES = 256 * 1024
MAX_LINE_BYTES = 16 * 1024
"""CRI splits longer lines."""
_CHUNK_BYTES = 64 * 1024


class Query(Protocol):
    """Whose output is asked for, as the API server read it."""

    @property
    def namespace(self) -> str:
        """The Pod's namespace."""

    @property
    def pod(self) -> str:
        """The Pod's name."""

    @property
    def container(self) -> str:
        """The container's name."""

    @property
    def follow(self) -> bool:
        """Whether to go on with what is written later."""

    @property
    def previous(self) -> bool:
        """Whether the run before the current one is meant."""

    @property
    def tail_lines(self) -> int | None:
        """How many of the last lines to begin with."""


class Log:
    """The output of one run of a container."""

    def __init__(self) -> None:
        self._lines: deque[bytes] = deque()
        self._forgotten = 0
        self._bytes = 0
        self._rest = b""
        self._closed = False
        self._reader: int | None = None
        self._news = asyncio.Event()

    def open(self) -> int:
        """Return a descriptor to write to; the caller closes it once the process has it."""
        self._reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)
        asyncio.get_running_loop().add_reader(self._reader, self._read, self._reader)
        return writer

    def _read(self, reader: int) -> None:
        try:
            data = os.read(reader, _CHUNK_BYTES)
        except BlockingIOError:
            return
        if not data:
            self.close()
            return
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._add(line)
        if len(self._rest) > MAX_LINE_BYTES:
            self._add(self._rest)
            self._rest = b""
        self._tell()

    def _add(self, line: bytes) -> None:
        self._lines.append(line + b"\n")
        self._bytes += len(line) + 1
        while self._bytes > MAX_BYTES and len(self._lines) > 1:
            self._bytes -= len(self._lines.popleft())
            self._forgotten += 1

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def close(self) -> None:
        """Stop reading; what was read stays."""
        if self._reader is not None:
            asyncio.get_running_loop().remove_reader(self._reader)
            os.close(self._reader)
            self._reader = None
        if self._rest:
            self._add(self._rest)
            self._rest = b""
        self._closed = True
        self._tell()

    async def read(self, *, tail: int | None = None, follow: bool = False) -> AsyncIterator[bytes]:
        """Yield the lines with their ends: the last `tail` of them (None: all that are kept); then what follows."""
        place = self._forgotten + max(0, len(self._lines) - (len(self._lines) if tail is None else tail))
        while True:
            lines = tuple(self._lines)[max(0, place - self._forgotten) :]
            place = self._forgotten + len(self._lines)
            if lines:
                yield b"".join(lines)
            if not follow or self._closed:
                return
            if place == self._forgotten + len(self._lines):
                await self._news.wait()
