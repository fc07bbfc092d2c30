"""A stage for tests of the world: boots the real namespaces in a process of its own and plays one scene there.

`play(scene)` runs `async def scene(stage)` in a fresh lab (no API, no controllers) and returns what it returned,
through JSON. The test asserts on that. Client sockets block in threads, because the world lives on the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from l2probe.errors import LabError
from l2probe.lab import kernel, world
from l2probe.lab.driver import Forwarding, Frontend, NoBackend, PodLink, Target
from l2probe.lab.netns import Namespace

ROOT = Path(__file__).parents[3]
VIP4, VIP6 = "198.51.100.40", "2001:db8:1::40"
VIPS = frozenset({VIP4, VIP6})
CLIENT4, CLIENT6 = "198.51.100.100", "2001:db8:1::100"
KINDS = ("tcp4", "udp4", "tcp6", "udp6")
IMPOSSIBLE = 77

# Tells each client its own address as the Pod sees it, then its node's name.
ECHO = """
import socket, threading, sys
def told(address): return f"{address.removeprefix('::ffff:')} {sys.argv[1]}".encode()
tcp = socket.create_server(("::", 8080), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
udp.bind(("::", 8080))
def serve():
    while True:
        connection, peer = tcp.accept()
        with connection:
            connection.sendall(told(peer[0]))
threading.Thread(target=serve, daemon=True).start()
print("ready", flush=True)
while True:
    data, peer = udp.recvfrom(65536)
    udp.sendto(told(peer[0]).ljust(len(data)) if len(data) > 1000 else told(peer[0]), peer)
"""

Scene = Callable[["Stage"], Awaitable[dict[str, Any]]]


def play(
    scene: Scene, *, prefix: Sequence[str] = (), python: str = sys.executable, env: dict[str, str] | None = None
) -> dict[str, Any]:
    """Play a scene in a lab of its own; skip the test with the kernel's reason where labs are impossible."""
    done = subprocess.run(
        (*prefix, python, "-m", "tests.lab.world.stage", f"{scene.__module__}:{scene.__name__}"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
    )
    if done.returncode == IMPOSSIBLE:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


class Stage:
    """What a scene can do: place Pods, announce, program, ask as the client, listen on the client's wire."""

    def __init__(self, place: world.World) -> None:
        self.world = place
        self.nodes = {node.name: node for node in place.nodes}
        self.links: dict[str, PodLink] = {}

    async def pod(self, node: str) -> PodLink:
        """Run an echo Pod on a node; return when it listens."""
        link = self.nodes[node].attach_pod(f"echo-{node}")
        heard, told = os.pipe()
        await self.nodes[node].spawn(("python3", "-c", ECHO, node), netns=link.netns, env={}, output=told)
        os.close(told)
        said = await asyncio.to_thread(os.read, heard, 4096)
        os.close(heard)
        assert said == b"ready\n", said
        self.links[node] = link
        return link

    async def program(
        self,
        *nodes: str,
        forwarding: Forwarding = Forwarding.DSR,
        no_backend: NoBackend = NoBackend.REJECT,
        local_only: bool = False,
        source_ranges: tuple[str, ...] = (),
        masquerade: bool = False,
    ) -> None:
        """Point port 80 of both VIPs at the echo Pods on these nodes, TCP and UDP, on every node."""
        frontends = [
            replace(
                frontend,
                forwarding=forwarding,
                no_backend=no_backend,
                local_only=local_only,
                source_ranges=source_ranges,
                masquerade=masquerade,
            )
            for frontend in self.frontends(nodes)
        ]
        await asyncio.gather(*(node.program(frontends) for node in self.world.nodes))

    def frontends(self, nodes: Sequence[str], *, port: int = 80) -> list[Frontend]:
        """Return frontends of both VIPs, TCP and UDP, DSR, with the echo Pods on these nodes as targets."""
        return [
            Frontend(
                vip=vip,
                port=port,
                protocol=protocol,
                targets=tuple(Target(address=self.links[node].addresses[at], port=8080, node=node) for node in nodes),
                forwarding=Forwarding.DSR,
                no_backend=NoBackend.REJECT,
                local_only=False,
                source_ranges=(),
            )
            for at, vip in enumerate((VIP4, VIP6))
            for protocol in ("TCP", "UDP")
        ]

    def connect_from_client(self, kind: str) -> socket.socket:
        """Return an unconnected socket of the client."""
        return self.connect_from(self.world.client, kind)

    @staticmethod
    def connect_from(machine: Namespace, kind: str) -> socket.socket:
        """Return an unconnected socket of any machine."""
        family = socket.AF_INET6 if kind.endswith("6") else socket.AF_INET
        with machine.entered():
            return socket.socket(family, socket.SOCK_STREAM if kind.startswith("tcp") else socket.SOCK_DGRAM)

    async def ask(
        self, kind: str, *, times: int = 1, seconds: float = 2, data: bytes = b"?", port: int = 80
    ) -> list[str]:
        """Ask the VIP; each answer is what the Pod said, or how it failed: timeout, refused, unreachable, reset."""
        return [
            await asyncio.to_thread(ask, self.connect_from_client(kind), kind, seconds, data, port)
            for _ in range(times)
        ]

    async def ask_all(self, *, times: int = 1, seconds: float = 2, data: bytes = b"?") -> dict[str, list[str]]:
        """Ask in every kind of flow."""
        return {kind: await self.ask(kind, times=times, seconds=seconds, data=data) for kind in KINDS}

    def listen(self) -> socket.socket:
        """Return a packet socket that hears what the client's interface sends and receives from now on."""
        with self.world.client.entered():
            listening = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
            listening.bind(("eth0", 0x0003))
        listening.settimeout(0.3)
        return listening

    def send(self, frame: bytes) -> None:
        """Send a frame from the client's interface."""
        with self.world.client.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("eth0", 0))
            raw.send(frame)

    def forget(self) -> None:
        """Empty the client's neighbour tables."""
        with self.world.client.entered():
            subprocess.run(("ip", "neigh", "flush", "all"), check=True)


def heard(listening: socket.socket) -> list[bytes]:
    """Return what was heard until it has been quiet for a moment."""
    frames = []
    with contextlib.suppress(TimeoutError):
        while True:
            frames.append(listening.recv(4096))
    return frames


async def hears(listening: socket.socket) -> list[bytes]:
    """Wait in a thread for what is heard."""
    return await asyncio.to_thread(heard, listening)


def ask(asking: socket.socket, kind: str, seconds: float, data: bytes, port: int) -> str:
    """Ask the VIP of the kind's family through this socket; see `Stage.ask` for what comes back."""
    with asking:
        asking.settimeout(seconds)
        try:
            asking.connect((VIP6 if kind.endswith("6") else VIP4, port))
            asking.send(data)
            return asking.recv(65536).decode().strip() or "closed"
        except TimeoutError:
            return "timeout"
        except ConnectionRefusedError:
            return "refused"
        except ConnectionResetError:
            return "reset"
        except OSError:
            return "unreachable"


def mac(raw: bytes) -> str:
    """Six bytes as text."""
    return raw.hex(":")


def who_has(address: str, *, to: str = "ff:ff:ff:ff:ff:ff") -> bytes:
    """Return the client's ARP request for an address."""
    own = bytes.fromhex("020000000064")
    head = bytes.fromhex(to.replace(":", "")) + own + b"\x08\x06"
    return (
        head
        + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
        + own
        + socket.inet_aton(CLIENT4)
        + bytes(6)
        + socket.inet_aton(address)
    )


def solicit(address: str, *, to: str | None = None) -> bytes:
    """Return the client's neighbour solicitation for an address, multicast or to one MAC."""
    own, target = bytes.fromhex("020000000064"), socket.inet_pton(socket.AF_INET6, address)
    group = bytes.fromhex("ff0200000000000000000001ff") + target[-3:]
    destination = target if to else group
    source = socket.inet_pton(socket.AF_INET6, CLIENT6)
    body = bytes(4) + target + b"\x01\x01" + own
    icmp = struct.pack("!BBH", 135, 0, 0) + body
    words = struct.unpack("!36H", source + destination + struct.pack("!II", len(icmp), 58) + icmp)
    folded = (total := sum(words)) % 0xFFFF or (0xFFFF if total else 0)
    icmp = struct.pack("!BBH", 135, 0, ~folded & 0xFFFF) + body
    link = bytes.fromhex(to.replace(":", "")) if to else b"\x33\x33" + group[-4:]
    return link + own + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(icmp), 58, 255) + source + destination + icmp


def arp_replies(frames: Iterable[bytes], address: str) -> list[dict[str, str]]:
    """Return the ARP replies among these frames whose sender is `address`."""
    packed = socket.inet_aton(address)
    return [
        {
            "from": mac(frame[6:12]),
            "to": mac(frame[:6]),
            "sender": mac(frame[22:28]),
            "target": socket.inet_ntoa(frame[38:42]),
        }
        for frame in frames
        if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x02" and frame[28:32] == packed
    ]


def advertisements(frames: Iterable[bytes], address: str) -> list[dict[str, str | int]]:
    """Return the neighbour advertisements among these frames for `address`."""
    packed = socket.inet_pton(socket.AF_INET6, address)
    return [
        {
            "from": mac(frame[6:12]),
            "to": mac(frame[:6]),
            "mac": mac(frame[80:86]),
            "flags": struct.unpack_from("!I", frame, 58)[0] >> 29,
        }
        for frame in frames
        if frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136 and frame[62:78] == packed
    ]


def syn_acks(frames: Iterable[bytes]) -> set[str]:
    """Return the source MACs of the TCP SYN-ACKs among these frames."""
    found = set()
    for frame in frames:
        at = (
            34
            if frame[12:14] == b"\x08\x00" and frame[23] == 6
            else 54
            if frame[12:14] == b"\x86\xdd" and frame[20] == 6
            else 0
        )
        if at and frame[at + 13] & 0x12 == 0x12:
            found.add(mac(frame[6:12]))
    return found


async def _perform(scene: Scene, place: world.World) -> dict[str, Any]:
    await place.start()
    return await asyncio.wait_for(scene(Stage(place)), 45)


def main() -> None:
    """Play the scene named on the command line; print what it returned."""
    module, _, name = sys.argv[1].partition(":")
    scene: Scene = getattr(importlib.import_module(module), name)
    if shutil.which("nft", path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
        sys.exit("no nft on this machine")
    try:
        rootless = kernel.isolate()
    except LabError as problem:
        sys.stderr.write(str(problem))
        sys.exit(IMPOSSIBLE)
    child = os.fork()
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    kernel.die_with_parent()
    began = time.perf_counter()
    place = world.build(rootless=rootless)
    took = time.perf_counter() - began
    result = asyncio.run(_perform(scene, place))
    json.dump({**result, "rootless": rootless, "build_seconds": took}, sys.stdout)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
