"""The relay carries whatever comes, both ways, until each side has ended."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from l2probe.lab.envtest.relay import relay
from l2probe.lab.netns import Namespace


class Here:
    """The namespace in which the test runs."""

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Stay."""
        yield


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read to the end, then say it backwards: only a relay that passes on the end gets an answer."""
    writer.write((await reader.read())[::-1])
    await writer.drain()
    writer.close()


async def leave(writer: asyncio.StreamWriter) -> None:
    """Close, and let the other side hear of it."""
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)


def listening() -> tuple[socket.socket, int]:
    """Return a listening socket and its port."""
    found = socket.create_server(("127.0.0.1", 0))
    return found, int(found.getsockname()[1])


def test_a_megabyte_and_its_end_arrive_and_come_back() -> None:
    """Bytes arrive whole and in order through any of the sockets, and a half-closed side still hears the other."""
    said = bytes(range(256)) * 4096

    async def law() -> None:
        (behind, port), doors = listening(), [listening() for _ in range(2)]
        servers = [await asyncio.start_server(echo, sock=behind)]
        servers += await relay([door for door, _ in doors], cast("Namespace", Here()), port)
        for _, front in doors:
            reader, writer = await asyncio.open_connection("127.0.0.1", front)
            writer.write(said)
            writer.write_eof()
            async with asyncio.timeout(20):
                assert await reader.read() == said[::-1]
            await leave(writer)
        for server in servers:
            server.close()

    asyncio.run(law())


def test_nobody_behind_it_is_a_closed_connection() -> None:
    """Before the server listens, and after it ended, who knocks is let go at once."""

    async def law() -> None:
        (gone, port), (door, front) = listening(), listening()
        gone.close()
        (server,) = await relay([door], cast("Namespace", Here()), port)
        reader, writer = await asyncio.open_connection("127.0.0.1", front)
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        await leave(writer)
        server.close()

    asyncio.run(law())
