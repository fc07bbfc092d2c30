"""Container output: whole lines, the last of them, what follows, and never more than the bound."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator

from l2probe.lab.controllers.logs import MAX_BYTES, MAX_LINE_BYTES, Log


async def all_of(chunks: AsyncIterator[bytes]) -> bytes:
    """Return everything that comes."""
    return b"".join([chunk async for chunk in chunks])


async def ended(log: Log) -> bytes:
    """Return everything until the log ends."""
    return await all_of(log.read(follow=True))


def test_lines_are_kept_and_the_last_can_be_asked_for() -> None:
    """All lines come, or only the last ones; the rest without an end is a line once the writer is gone."""

    async def law() -> None:
        log = Log()
        writer = log.open()
        os.write(writer, b"one\ntwo\nthr")
        os.write(writer, b"ee\nfour")
        os.close(writer)

        assert await ended(log) == b"one\ntwo\nthree\nfour\n"
        assert await all_of(log.read(tail=2)) == b"three\nfour\n"
        assert await all_of(log.read(tail=0)) == b""

    asyncio.run(law())


def test_following_goes_on_until_the_end() -> None:
    """A follower gets what is there and then each new line, once."""

    async def law() -> None:
        log = Log()
        writer = log.open()
        os.write(writer, b"one\n")
        follower = log.read(tail=1, follow=True)
        seen = asyncio.create_task(all_of(follower))
        for line in (b"two\n", b"three\n"):
            await asyncio.sleep(0)
            os.write(writer, line)
        os.close(writer)

        assert (await seen).endswith(b"two\nthree\n")

    asyncio.run(law())


def test_memory_is_bounded() -> None:
    """Old lines are forgotten and endless ones cut; a container can write as much as it likes."""

    async def law() -> None:
        log = Log()
        writer = log.open()
        following = asyncio.create_task(ended(log))
        await asyncio.to_thread(os.write, writer, b"x" * (3 * MAX_LINE_BYTES) + b"\n")
        for number in range(40):
            await asyncio.to_thread(os.write, writer, (f"{number}".encode() * 10_000)[:10_000] + b"\n")
        os.close(writer)
        await following
        kept = await all_of(log.read())

        assert MAX_BYTES - 20_000 < len(kept) <= MAX_BYTES
        assert kept.endswith(b"39\n")

    asyncio.run(law())
