"""A World that records what the controllers ask of it; programs run without namespaces, as children of the test."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

from l2probe.errors import LabError
from l2probe.lab.driver import HARMLESS, ONCE, Frontend, Meddling, PodLink, Telling, World


class FakeProcess:
    """A real child process."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child
        self.pid = child.pid
        self.signals: list[int] = []

    async def wait(self) -> int:
        """See the driver."""
        return await self._child.wait()

    def signal(self, number: int) -> None:
        """See the driver."""
        self.signals.append(number)
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(number)


class FakeNode:
    """A node that records. `real` False: programs are `sleep`, whatever is asked for; else mounted files are named."""

    def __init__(self, number: int, asked: asyncio.Event, *, real: bool) -> None:
        self._asked = asked
        self.name = f"node-{number}"
        self.addresses: tuple[str, ...] = (f"198.51.100.{10 + number}", f"2001:db8:1::{10 + number}")
        self.mac = f"02:00:00:00:00:{number:02x}"
        self.interfaces: tuple[str, ...] = ("eth0",)
        self.announced: frozenset[str] = frozenset()
        self.elsewhere: dict[str, frozenset[str]] = {}
        self.heeds = (True, True)
        self.second: str | None = None
        self.announcements: list[tuple[frozenset[str], bool]] = []
        self.owned: frozenset[str] = frozenset()
        self.told: frozenset[str] = frozenset()
        self.telling: Telling | None = None
        self.frontends: tuple[Frontend, ...] = ()
        self.programmed = 0
        self.dropped: frozenset[str] = frozenset()
        self.attached: list[str] = []
        self.full = 0
        self.detached: list[str] = []
        self.processes: list[FakeProcess] = []
        self.started: dict[tuple[str, ...], FakeProcess] = {}
        self.spawned: list[tuple[tuple[str, ...], dict[str, str], tuple[tuple[str, str], ...]]] = []
        self._number = number
        self._real = real
        self._netns = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def announce(
        self, addresses: frozenset[str], *, gratuitous: bool = True, device: str = "eth0", telling: Telling = ONCE
    ) -> None:
        """See the driver."""
        assert device in self.interfaces
        if device != "eth0":
            self.elsewhere[device] = addresses
            return
        self.announced = addresses
        self.telling = telling
        self.announcements.append((addresses, gratuitous))
        self._asked.set()

    def heed(self, *, broadcast: bool, multicast: bool) -> None:
        """See the driver."""
        self.heeds = (broadcast, multicast)

    async def second_nic(self, *, present: bool, shy: bool = False) -> None:
        """See the driver."""
        self.interfaces = ("eth0", "eth1") if present else ("eth0",)
        self.second = None if not present else "shy" if shy else "plain"
        self.elsewhere.clear()

    async def own(self, addresses: frozenset[str]) -> None:
        """See the driver."""
        await asyncio.sleep(0)
        self.owned = addresses
        self._asked.set()

    def tell(self, addresses: frozenset[str], telling: Telling) -> None:
        """See the driver."""
        self.told, self.telling = addresses, telling

    async def program(self, frontends: Sequence[Frontend]) -> None:
        """See the driver."""
        await asyncio.sleep(0)
        self.frontends = tuple(frontends)
        self.programmed += 1

    async def drop_traffic(self, addresses: frozenset[str]) -> None:
        """See the driver."""
        self.dropped = addresses

    def attach_pod(self, name: str) -> PodLink:
        """See the driver. The addresses are loopback ones, so that probes reach what the test starts."""
        if self.full:
            self.full -= 1
            raise LabError("no address is free.")
        self.attached.append(name)
        host = 10 + len(self.attached)
        addresses = (
            ("127.0.0.1", "::1")
            if self._real
            else (f"10.244.{self._number}.{host}", f"fd00:10:{self._number}::{host:x}")
        )
        return PodLink(name=name, netns=self._netns, addresses=addresses)

    def detach_pod(self, name: str) -> None:
        """See the driver."""
        self.detached.append(name)

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        netns: int,
        env: Mapping[str, str],
        binds: Sequence[tuple[str, str]] = (),
        hostname: str = "",
        output: int | None = None,
    ) -> FakeProcess:
        """See the driver."""
        assert netns == self._netns
        self.spawned.append((tuple(argv), dict(env), tuple(binds)))
        # The shop's servers of all nodes want one port, and here they have one network.
        words = tuple(argv) if self._real and "-IS" not in argv else ("sleep", "3600")
        for source, target in binds:
            words = tuple(word.replace(target, source) for word in words)
        child = await asyncio.create_subprocess_exec(*words, env=dict(env), stdout=output, stderr=output)
        made = FakeProcess(child)
        self.processes.append(made)
        self.started[tuple(argv)] = made
        return made

    def close(self) -> None:
        """Release what the fake holds."""
        os.close(self._netns)


class FakeSwitch:
    """A switch that records."""

    def __init__(self) -> None:
        self.limits: dict[str | None, int | None] = {}
        self.losses: dict[str | None, int] = {}
        self.owned: frozenset[str] = frozenset()

    async def limit_frames(self, node: str | None, max_bytes: int | None) -> None:
        """See the driver."""
        self.limits[node] = max_bytes

    async def lose(self, node: str | None, percent: int) -> None:
        """See the driver."""
        self.losses[node] = percent

    def foreign(self, addresses: frozenset[str]) -> None:
        """See the driver."""
        self.owned = addresses


class FakePath:
    """Devices that record what they should do."""

    def __init__(self) -> None:
        self.meddling = HARMLESS

    async def meddle(self, meddling: Meddling) -> None:
        """See the driver."""
        self.meddling = meddling


class FakeClientHost:
    """A client that records."""

    def __init__(self) -> None:
        self.keeps = False
        self.detours = False

    def keep_neighbours(self, *, keep: bool) -> None:
        """See the driver."""
        self.keeps = keep

    async def detour(self, *, detour: bool) -> None:
        """See the driver."""
        self.detours = detour


class FakeWorld:
    """Three nodes, a switch, a client, and what is between them."""

    def __init__(self, *, real: bool = False) -> None:
        self.asked = asyncio.Event()
        self.nodes = tuple(FakeNode(number, self.asked, real=real) for number in (1, 2, 3))
        self.switch = FakeSwitch()
        self.path = FakePath()
        self.client_host = FakeClientHost()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return when `holds` does; it is looked at after each announcement."""
        while not holds():
            self.asked.clear()
            await self.asked.wait()

    @property
    def driver(self) -> World:
        """The same as what the controllers take: mypy holds a protocol's variables to their exact type."""
        return cast("World", self)

    def announcers(self, address: str) -> list[str]:
        """Return the nodes that answer for the address now."""
        return [node.name for node in self.nodes if address in node.announced | node.owned]

    def close(self) -> None:
        """Release what the fake holds."""
        for node in self.nodes:
            node.close()


def files_of(binds: Sequence[tuple[str, str]], mount: str) -> dict[str, bytes]:
    """Return the files that a container would see below a mount path."""
    source = next(Path(source) for source, target in binds if target == mount)
    return {str(path.relative_to(source)): path.read_bytes() for path in source.rglob("*") if path.is_file()}
