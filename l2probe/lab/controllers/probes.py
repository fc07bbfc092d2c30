"""Readiness probes, really executed from the Pod's network namespace. A failed probe is a text, never an exception.

Texts as kubelet 1.34 writes them into the Event `Unhealthy`.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from l2probe.errors import LabError
from l2probe.lab.controllers.objects import Obj
from l2probe.lab.driver import NodeDriver, PodLink

_CLONE_NEWNET = 0x40000000
"""linux/sched.h."""
_MAX_STATUS_LINE_BYTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The container that is probed. `run` starts a command beside it and returns exit status and output."""

    link: PodLink
    container: Obj
    run: Callable[[tuple[str, ...]], Awaitable[tuple[int, str]]]


def _enter(namespace: int) -> None:
    if os.fstat(namespace).st_ino == Path("/proc/thread-self/ns/net").stat().st_ino:
        return
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def socket_in(namespace: int, family: socket.AddressFamily) -> socket.socket:
    """Return a TCP socket that was made in the network namespace, and so stays there. OSError: not allowed."""
    made: list[socket.socket | OSError] = []

    def make() -> None:
        try:
            _enter(namespace)
            made.append(socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
        except OSError as refused:
            made.append(refused)

    # Only this thread changes its namespace, and it ends at once.
    thread = threading.Thread(target=make, name="l2probe-netns")
    thread.start()
    thread.join()
    found = made[0]
    if isinstance(found, OSError):
        raise found
    return found


def _port(subject: Subject, port: int | str) -> int:
    if isinstance(port, int):
        return port
    named = (found["containerPort"] for found in subject.container.get("ports") or () if found.get("name") == port)
    return int(next(named, 0))


def _authority(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


async def _connect(subject: Subject, address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    made = socket_in(subject.link.netns, family)
    try:
        await asyncio.get_running_loop().sock_connect(made, (address, port))
    except BaseException:
        made.close()
        raise
    return await asyncio.open_connection(sock=made)


def _dial_error(address: str, port: int, refused: OSError) -> str:
    why = (os.strerror(refused.errno) if refused.errno else str(refused)).lower()
    return f"dial tcp {_authority(address, port)}: connect: {why}"


async def _tcp(subject: Subject, action: Obj) -> str | None:
    address, port = action.get("host") or subject.link.addresses[0], _port(subject, action["port"])
    try:
        _, writer = await _connect(subject, address, port)
    except OSError as refused:
        return _dial_error(address, port, refused)
    writer.close()
    return None


async def _http(subject: Subject, action: Obj) -> str | None:
    address, port = action.get("host") or subject.link.addresses[0], _port(subject, action["port"])
    path = action.get("path") or "/"
    url = f"http://{_authority(address, port)}{path}"
    extra = "".join(f"{header['name']}: {header['value']}\r\n" for header in action.get("httpHeaders") or ())
    fixed = f"Host: {_authority(address, port)}\r\nUser-Agent: kube-probe/1.34\r\nAccept: */*\r\nConnection: close\r\n"
    try:
        reader, writer = await _connect(subject, address, port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\n{fixed}{extra}\r\n".encode())
            line = (await reader.read(_MAX_STATUS_LINE_BYTES)).split(b"\r\n", 1)[0].split()
        finally:
            writer.close()
    except OSError as refused:
        return f'Get "{url}": {_dial_error(address, port, refused)}'
    if len(line) < 2 or not line[1].isdigit():  # noqa: PLR2004 - a status line is version, code, phrase (RFC 9112)
        return f'Get "{url}": EOF'
    # 200 to 399 is success (core/v1 HTTPGetAction).
    return None if b"200" <= line[1] < b"400" else f"HTTP probe failed with statuscode: {line[1].decode()}"


async def _exec(subject: Subject, action: Obj) -> str | None:
    try:
        status, output = await subject.run(tuple(action["command"]))
    except LabError as refused:
        return str(refused)
    return None if status == 0 else output or f"command exited with status {status}"


_PROBES: Mapping[str, tuple[Callable[[Subject, Obj], Awaitable[str | None]], str]] = {
    "httpGet": (_http, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"),
    "tcpSocket": (_tcp, "dial tcp: i/o timeout"),
    "exec": (_exec, "command timed out"),
}


async def probe(subject: Subject, spec: Obj) -> str | None:
    """Return None when the probe (core/v1 Probe) succeeded, else what the kubelet would say; ends at timeoutSeconds."""
    for name, (ask, late) in _PROBES.items():
        if (action := spec.get(name)) is not None:
            try:
                # Not wait_for: up to Python 3.11 it forgets a cancellation that meets the answer.
                async with asyncio.timeout(float(spec.get("timeoutSeconds") or 1)):
                    return await ask(subject, action)
            except TimeoutError:
                return late
    return None


async def run_beside(node: NodeDriver, link: PodLink, argv: tuple[str, ...], env: Mapping[str, str]) -> tuple[int, str]:
    """Run a command in the Pod's network namespace; return its exit status and the first 1024 bytes that it printed."""
    output = os.memfd_create("l2probe-exec")
    try:
        process = await node.spawn(argv, netns=link.netns, env=env, output=output)
        try:
            status = await process.wait()
        finally:
            process.signal(signal.SIGKILL)
        return status, os.pread(output, 1024, 0).decode(errors="replace").strip()
    finally:
        os.close(output)
