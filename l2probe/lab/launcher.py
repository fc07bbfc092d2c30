"""Starts every program of the lab: a small single-threaded process beside the world, so that the world never forks.

It is forked before asyncio and the heavy libraries are loaded, hears requests on a socket, enters the namespaces
asked for, and tells how each child ended. One JSON object a message; file descriptors travel beside it. Ends when the
world does.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from l2probe.lab import kernel, mounts
from l2probe.lab.addresses import SPARE_ROOT

MAX_MESSAGE = 128 * 1024
"""A request's size in bytes: argv and environment together; a unix socket's default buffer holds it."""
_FAILED_TO_START = 127


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to start. `confined`: a Pod's process: no privileges, a read-only file system, its own mounts.

    `user`: the uid and gid to become, None to stay who we are. `hostname` empty: that of the machine.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    binds: tuple[tuple[str, str], ...] = ()
    confined: bool = False
    user: int | None = None
    hostname: str = ""


def fork_launcher() -> socket.socket:
    """Fork the launcher; return the world's end of its socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork():
        theirs.close()
        return ours
    ours.close()
    try:
        _serve(theirs)
    finally:
        os._exit(0)


def request(number: int, launch: Launch) -> bytes:
    """Return the message that asks for a start; the descriptors (network, stdin, stdout and stderr) go with it."""
    return json.dumps({"id": number, **asdict(launch)}).encode()


def _serve(channel: socket.socket) -> None:
    """Start what is asked for and report what ended, until the other end closes."""
    waker, woken = socket.socketpair()
    for end in (waker, woken):
        end.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    selector.register(channel, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is channel:
                message, descriptors, _, _ = socket.recv_fds(channel, MAX_MESSAGE, 3)
                if not message:
                    return
                _answer(channel, json.loads(message), descriptors)
            else:
                with contextlib.suppress(BlockingIOError):
                    woken.recv(4096)
                _reap(channel)


def _reap(channel: socket.socket) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            channel.send(json.dumps({"ended": pid, "status": os.waitstatus_to_exitcode(status)}).encode())


def _answer(channel: socket.socket, asked: dict[str, Any], descriptors: Sequence[int]) -> None:
    number = asked.pop("id")
    binds = tuple((source, target) for source, target in asked.pop("binds"))
    pid, problem = _start(Launch(**{**asked, "argv": tuple(asked["argv"])}, binds=binds), descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    channel.send(json.dumps({"id": number, "pid": pid, "problem": problem}).encode())


def _start(launch: Launch, descriptors: Sequence[int]) -> tuple[int, str]:
    """Fork and exec; return the child's pid and why it could not start (empty when it did)."""
    heard, told = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if not pid:
        try:
            _become(launch, *descriptors)
        except OSError as problem:
            os.write(told, str(problem).encode()[:4096])
        finally:
            os._exit(_FAILED_TO_START)
    os.close(told)
    with os.fdopen(heard, "rb") as reader:
        return pid, reader.read().decode(errors="replace")


def _become(launch: Launch, network: int, stdin: int, output: int) -> None:
    """Turn this forked process into the program; returns only by an exception."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.setsid()
    kernel.setns(network, kernel.CLONE_NEWNET)
    for target, source in enumerate((stdin, output, output)):
        os.dup2(source, target)
    if launch.confined:
        kernel.unshare(kernel.CLONE_NEWNS | (kernel.CLONE_NEWUTS if launch.hostname else 0))
        if launch.hostname:
            socket.sethostname(launch.hostname)
        mounts.bind(launch.binds, spare=SPARE_ROOT)
        # First the capabilities (dropping them needs one), then the identity.
        kernel.drop_privileges()
        _change_user(launch.user)
    os.execvpe(launch.argv[0], launch.argv, dict(launch.env))  # noqa: S606 - no shell is meant


def _change_user(user: int | None) -> None:
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
