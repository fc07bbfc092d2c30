"""Carries connections from the sockets that the lab made in three namespaces to a server that listens in a fourth."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence

from l2probe.lab.addresses import LOOPBACK
from l2probe.lab.netns import Namespace

CHUNK_BYTES = 256 * 1024


async def relay(sockets: Sequence[socket.socket], namespace: Namespace, port: int) -> tuple[asyncio.Server, ...]:
    """Accept on the sockets from now on, and pass everything to `port` of the loopback in `namespace`, and back."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            there, back = await connected(namespace, port)
            with contextlib.closing(back):
                await asyncio.gather(_pump(reader, back), _pump(there, writer))

    return tuple([await asyncio.start_server(carry, sock=each, limit=CHUNK_BYTES) for each in sockets])


async def connected(namespace: Namespace, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a port of the loopback in a namespace; OSError when nobody listens there."""
    with namespace.entered():
        outgoing = socket.socket()
    outgoing.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(outgoing, (LOOPBACK, port))
    except OSError:
        outgoing.close()
        raise
    return await asyncio.open_connection(sock=outgoing, limit=CHUNK_BYTES)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until it ends, then say so to the other side; a side that broke takes the other with it."""
    try:
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()
