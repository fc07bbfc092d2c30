"""The world's side of the launcher: starts programs in namespaces, waits for their end, runs nft transactions."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator

from l2probe.errors import LabError
from l2probe.lab.addresses import SYSTEM_PATH
from l2probe.lab.launcher import MAX_MESSAGE, Launch, fork_launcher, request
from l2probe.lab.netns import Namespace

_NFT_SECONDS = 20.0


class Child:
    """A running program (the driver's `Process`)."""

    def __init__(self, pid: int, ended: asyncio.Future[int]) -> None:
        self.pid = pid
        self._ended = ended

    async def wait(self) -> int:
        """Return the exit status (negative: the signal that ended it)."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        """Send a signal; a process that is gone already is no error."""
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill_group(self) -> None:
        """Kill it and all that it started in its session's first process group."""
        if not self._ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


class Programs:
    """Made before asyncio runs (it forks); usable after `listen`."""

    def __init__(self) -> None:
        self._channel = fork_launcher()
        self._serial = 0
        self._asked: dict[int, asyncio.Future[Child]] = {}
        self._running: dict[int, asyncio.Future[int]] = {}

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hear from now on how the launcher fares."""
        loop.add_reader(self._channel, self._hear)

    async def start(
        self, launch: Launch, *, network: int, stdin: int | None = None, output: int | None = None
    ) -> Child:
        """Start a program; LabError says why it could not be started."""
        self._serial += 1
        message = request(self._serial, launch)
        if len(message) > MAX_MESSAGE:
            raise LabError(
                f"{launch.argv[0]} was not started: its arguments and environment have {len(message)} bytes."
            )
        asked: asyncio.Future[Child] = asyncio.get_running_loop().create_future()
        self._asked[self._serial] = asked
        with _opened(stdin, output) as descriptors:
            # May wait for the launcher to take earlier requests: a millisecond each.
            try:
                socket.send_fds(self._channel, [message], [network, *descriptors])
            except OSError as problem:
                raise LabError(f"{launch.argv[0]} was not started: {problem.strerror}.") from problem
        return await asked

    async def nft(self, namespace: Namespace, rules: str) -> None:
        """Apply one nft transaction; LabError carries nft's own words."""
        with _memory(rules.encode()) as rules_file, _memory(b"") as said:
            launch = Launch(argv=(nft_path(), "-f", "-"), env={"PATH": SYSTEM_PATH})
            child = await self.start(launch, network=namespace.descriptor, stdin=rules_file, output=said)
            try:
                async with asyncio.timeout(_NFT_SECONDS):
                    status = await child.wait()
            except TimeoutError:
                child.kill_group()
                raise LabError(f"nft did not apply the lab's rules within {_NFT_SECONDS:.0f} s.") from None
            if status:
                words = os.pread(said, 2000, 0).decode(errors="replace").strip()
                raise LabError(f"nft refused the lab's rules (status {status}): {words}")

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while message := self._channel.recv(MAX_MESSAGE, socket.MSG_DONTWAIT):
                self._note(json.loads(message))
            asyncio.get_running_loop().remove_reader(self._channel)
            self._lose()

    def _note(self, news: dict[str, int | str]) -> None:
        if "ended" in news:
            ended = self._running.pop(int(news["ended"]), None)
            if ended is not None and not ended.done():
                ended.set_result(int(news["status"]))
            return
        asked = self._asked.pop(int(news["id"]))
        if news["problem"]:
            if not asked.done():
                asked.set_exception(LabError(f"A program of the lab could not be started: {news['problem']}"))
            return
        pid = int(news["pid"])
        # A short program may have ended before its starter runs again: the future waits with the child.
        self._running[pid] = asyncio.get_running_loop().create_future()
        child = Child(pid, self._running[pid])
        if asked.done():
            child.kill_group()
        else:
            asked.set_result(child)

    def _lose(self) -> None:
        for asked in (asked for asked in self._asked.values() if not asked.done()):
            asked.set_exception(LabError("The lab's launcher ended; nothing can be started any more."))
        self._asked.clear()


def nft_path() -> str:
    """Return where nft is; LabError when the machine has none."""
    found = shutil.which("nft", path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")
    if found is None:
        raise LabError("The lab needs nft, and this machine has none.", "apt-get install nftables")
    return found


@contextlib.contextmanager
def _memory(content: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("l2probe")
    try:
        os.pwrite(descriptor, content, 0)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened(stdin: int | None, output: int | None) -> Iterator[tuple[int, int]]:
    """Yield descriptors for both, /dev/null where none was given."""
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield (nothing if stdin is None else stdin), (nothing if output is None else output)
    finally:
        os.close(nothing)
