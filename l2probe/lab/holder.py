"""The lab's process tree, so built that no way of dying leaves anything behind.

    outer (the command the user typed, in the host's namespaces)
      holder      new user, network, mount and PID namespaces; dies with outer, unless the lab is to stay
        world     process 1 of the PID namespace: dies with the holder, and with it everything in the namespace
          launcher, Pods
        inner     the command that runs in the lab (a child of the holder, so its pid means the same outside)

Kernel objects need no clean-up: they end with their last process. Imports nothing heavy before it has forked.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from l2probe.errors import L2ProbeError
from l2probe.lab import kernel
from l2probe.lab.assets import Assets

News = dict[str, Any]
MAX_NEWS = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to hold. `host`: the API's socket on the host; `control`: the control socket of a lab that stays.

    `assets`: the real control plane's programs, None for the embedded one. `inner` runs a program once the lab is
    ready, given the client's network namespace and whether raw sockets are allowed there; it never returns.
    """

    profile: str
    faults: tuple[str, ...]
    host: socket.socket
    assets: Assets | None = None
    control: socket.socket | None = None
    inner: Callable[[int, bool], NoReturn] | None = None


class Channel:
    """One end of a line on which processes of the tree tell each other news, with file descriptors beside them."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end

    def tell(self, news: News, *descriptors: int) -> None:
        """Send; nobody there to hear it is no error."""
        with contextlib.suppress(OSError):
            socket.send_fds(self.socket, [json.dumps(news).encode()], descriptors)

    def hear(self) -> tuple[News, list[int]]:
        """Wait for news; ({}, []) when the other end is gone."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self.socket, MAX_NEWS, 1)
        except ConnectionResetError:
            return {}, []
        return (json.loads(message) if message else {}), list(descriptors)


def channel() -> tuple[Channel, Channel]:
    """Return both ends."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return Channel(one), Channel(other)


def start(plan: Plan) -> tuple[int, Channel]:
    """Fork the holder; return its pid and the line to it.

    It tells, in this order: `ready` with the lab's status, `started` with
    the inner command's pid, `exit` with its status; or `problem` and `hint`.
    """
    ours, theirs = channel()
    sys.stdout.flush()
    sys.stderr.flush()
    outer = os.getpid()
    pid = os.fork()
    if pid:
        theirs.socket.close()
        return pid, ours
    ours.socket.close()
    return _forever(theirs, lambda: _hold(plan, theirs, outer))


def _forever(line: Channel, body: Callable[[], int]) -> NoReturn:
    """Run a forked process's body to its end, tell of its failure, and never return into the caller's code."""
    status = 1
    try:
        with _Telling(line):
            status = body()
    finally:
        os._exit(status)


class _Telling:
    """Sends an exception's words over a line, because a forked process has nobody to raise it to."""

    def __init__(self, line: Channel) -> None:
        self._line = line

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(problem, L2ProbeError):
            self._line.tell({"problem": problem.message, "hint": problem.hint})
        elif problem is not None:
            where = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if (trace := _last(trace)) else ""
            self._line.tell(
                {"problem": f"The lab broke: {type(problem).__name__}: {problem}{where}.", "hint": "Please report it."}
            )


def _last(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _hold(plan: Plan, outer: Channel, parent: int) -> int:
    """Be the holder."""
    kernel.die_with_parent(parent)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    _close_all_but(outer.socket, plan.host, plan.control)
    rootless = kernel.isolate()
    kernel.die_with_parent(parent)
    here, there = channel()
    world = os.fork()
    if not world:
        here.socket.close()
        outer.socket.close()
        _forever(there, lambda: _be_world(plan, there, rootless=rootless))
    there.socket.close()
    plan.host.close()
    if plan.control is not None:
        # The world's alone: it must be gone with the world, or who asks a dead lab would wait for us.
        plan.control.close()
    here.tell({"pid": world, "holder": os.getpid()})
    return _follow(plan, outer, here, world)


def _follow(plan: Plan, outer: Channel, lab: Channel, world: int) -> int:
    """Wait until the lab is ready, then for the inner command or, when the lab is to stay, for the lab's own end."""
    news, descriptors = lab.hear()
    if "ready" not in news:
        outer.tell(news or {"problem": "The lab's world ended before it was ready.", "hint": ""})
        return _bury(world)
    if plan.inner is None:
        kernel.outlive_parent()
        outer.tell(news)
        outer.socket.close()
        _silence()
        os.waitpid(world, 0)
        return 0
    outer.tell(news)
    inner = os.fork()
    if not inner:
        _forever(outer, lambda: _be_inner(plan, descriptors[0], raw=news["ready"]["raw"]))
    outer.tell({"started": inner})
    return _until_inner_ends(outer, lab, inner, world)


def _until_inner_ends(outer: Channel, lab: Channel, inner: int, world: int) -> int:
    ended, status = os.wait()
    if ended == world:
        news, _ = lab.hear()
        outer.tell(news or {"problem": "The lab's world was killed.", "hint": ""})
        os.waitpid(inner, 0)
        return 1
    _bury(world)
    outer.tell({"exit": os.waitstatus_to_exitcode(status)})
    return 0


def _bury(world: int) -> int:
    """Kill the world, and with it all that runs in it, and wait until the kernel has done so."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(world, signal.SIGKILL)
    os.waitpid(world, 0)
    return 0


def _be_inner(plan: Plan, client: int, *, raw: bool) -> int:
    assert plan.inner is not None
    plan.inner(client, raw)


def _be_world(plan: Plan, line: Channel, *, rootless: bool) -> int:
    """Be process 1 of the lab."""
    kernel.die_with_parent()
    who, _ = line.hear()
    if not who:
        return 1
    from l2probe.lab.life import run  # noqa: PLC0415 - the holder stays light

    run(plan, line, who, rootless=rootless)
    return 0


def _silence() -> None:
    """Let go of the terminal: whoever waits for the end of our output must not wait for us."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)


def _close_all_but(*wanted: socket.socket | None) -> None:
    """Close what the forked process inherited by accident."""
    kept = {0, 1, 2, *(one.fileno() for one in wanted if one is not None)}
    for entry in tuple(Path("/proc/self/fd").iterdir()):
        if int(entry.name) not in kept:
            with contextlib.suppress(OSError):
                os.close(int(entry.name))


def argv_of_ours(argv: Sequence[str]) -> tuple[str, ...]:
    """Return how to run l2probe's command line with this same interpreter.

    `-P` unless we were started with the current directory on the path: else a file there could shadow a library.
    """
    safe = () if sys.path[0] in {"", str(Path.cwd())} else ("-P",)
    return (sys.executable, *safe, "-m", "l2probe", *argv)
