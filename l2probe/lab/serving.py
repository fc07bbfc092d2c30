"""Answers the lab's control socket, from within the lab; `control` asks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable, Mapping

from l2probe.errors import L2ProbeError
from l2probe.lab.control import MAX_LINE, Answer, peer_is_us

Handler = Callable[[str], Awaitable[Answer]]
"""Takes the name that goes with the request (may be empty)."""


async def serve(listening: socket.socket, handlers: Mapping[str, Handler]) -> asyncio.Server:
    """Answer requests on the control socket: `do` picks the handler. Other users get nothing."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            if peer_is_us(writer.get_extra_info("socket")):
                async with asyncio.timeout(5):
                    line = await reader.readline()
                writer.write(json.dumps(await _handle(line, handlers)).encode() + b"\n")
                await writer.drain()
        writer.close()

    return await asyncio.start_unix_server(answer, sock=listening, limit=MAX_LINE)


async def _handle(line: bytes, handlers: Mapping[str, Handler]) -> Answer:
    request = json.loads(line)
    if not isinstance(request, dict) or request.get("do") not in handlers:
        return {
            "problem": "The lab was asked for something that it does not know.",
            "hint": "Is it of another version? l2probe lab down",
        }
    try:
        return await handlers[request["do"]](str(request.get("name", "")))
    except L2ProbeError as problem:
        return {"problem": problem.message, "hint": problem.hint}
