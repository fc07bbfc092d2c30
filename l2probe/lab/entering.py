"""Enters the lab: a process comes to see the client's network, the lab's files and a KUBECONFIG, then is a command."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from l2probe.lab import kernel
from l2probe.lab.addresses import KUBECONFIG, SHELL_RC, SYSTEM_PATH

_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
_NOT_FOUND = 127
_TYPED = (signal.SIGINT, signal.SIGQUIT)
_SENT = (signal.SIGTERM, signal.SIGHUP)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return our environment with the lab's KUBECONFIG and without proxies, which nobody could reach from there."""
    own = {name: value for name, value in os.environ.items() if name.lower() not in _PROXIES}
    # Last our own directory, so that `l2probe` is found in a shell although its virtual environment is not active.
    path = f"{own.get('PATH', '')}:{SYSTEM_PATH}:{Path(sys.executable).parent}".lstrip(":")
    return {**own, "PATH": path, "KUBECONFIG": KUBECONFIG, **(more or {})}


def shell() -> tuple[str, ...]:
    """Return the user's shell; bash says in its prompt where one is."""
    program = os.environ.get("SHELL") or "bash"
    return (program, "--rcfile", SHELL_RC) if Path(program).name == "bash" else (program,)


def become(argv: Sequence[str], client: int, more: Mapping[str, str] | None = None, *, raw: bool = True) -> NoReturn:
    """Turn this process, which is in the lab's mount namespace, into a command in the client's network.

    `raw` False: it may open no raw socket.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    kernel.setns(client, kernel.CLONE_NEWNET)
    kernel.unshare(kernel.CLONE_NEWNS)
    # A fresh sysfs shows the client's interfaces; where it is forbidden, the host's stay visible there.
    with contextlib.suppress(PermissionError):
        kernel.mount("sysfs", "/sys", "sysfs", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    if not raw:
        kernel.forbid_raw_sockets()
    os.execvpe(argv[0], list(argv), environment(more))  # noqa: S606 - no shell is meant


def run(argv: Sequence[str], *, pid: int, client: int, raw: bool, env: Mapping[str, str]) -> int:
    """Run a command in the lab whose first process is `pid`; `client`: its descriptor of the client's network.

    `raw`: whether it may open raw sockets. Return the exit code; 127 when there is no such command. In the foreground
    of a terminal the command shares our process group: what is typed there reaches it directly. Elsewhere it has a
    group of its own and gets from us what is sent to ours, once. LabError when the lab went away.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    shared = _in_foreground()
    entrant = os.fork()
    if not entrant:
        network = partial(_enter, pid, client)
        _enter_and_run(network, partial(_run, argv, env=env, raw=raw), shared=shared)
    terminal = _Terminal()
    before = _pass_on(entrant, shared=shared)
    try:
        _, status = os.waitpid(entrant, 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        terminal.take_back()
    return _code(status)


def _in_foreground() -> bool:
    """Say whether our process group is the one that our terminal sends signals to."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _pass_on(pid: int, *, shared: bool) -> dict[signal.Signals, Any]:
    """Send on what we are sent; ignore what is typed where it reaches the command anyway. Return what was before."""
    before: dict[signal.Signals, Any] = {}
    for number in (*_SENT, *_TYPED):
        ignored = shared and number in _TYPED
        before[number] = signal.signal(number, signal.SIG_IGN if ignored else lambda got, _: _send(pid, got))
    return before


def _enter_and_run(enter: Callable[[], int], run: Callable[[Path, int], NoReturn], *, shared: bool) -> NoReturn:
    """Be the process between: in the lab's namespaces, waiting for the command."""
    code = 1
    try:
        kernel.die_with_parent()
        if not shared:
            os.setpgid(0, 0)
        where = Path.cwd()
        network = enter()
        command = os.fork()
        if not command:
            kernel.die_with_parent()
            run(where, network)
        _pass_on(command, shared=shared)
        code = _code(os.waitpid(command, 0)[1])
    except OSError as problem:
        sys.stderr.write(f"l2probe: the lab could not be entered: {problem}\n")
    finally:
        os._exit(code)


def _enter(pid: int, client: int) -> int:
    """Enter the lab's user, mount and (for children) PID namespaces; return a descriptor of the client's network."""
    place = f"/proc/{pid}"
    network = os.open(f"{place}/fd/{client}", os.O_RDONLY | os.O_CLOEXEC)
    spaces = [os.open(f"{place}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("mnt", "pid")]
    if not Path(f"{place}/ns/user").samefile("/proc/self/ns/user"):
        spaces.insert(0, os.open(f"{place}/ns/user", os.O_RDONLY | os.O_CLOEXEC))
    for space in spaces:
        kernel.setns(space)
    return network


def _run(argv: Sequence[str], where: Path, network: int, *, env: Mapping[str, str], raw: bool) -> NoReturn:
    try:
        with contextlib.suppress(OSError):
            os.chdir(where)
        become(argv, network, env, raw=raw)
    except OSError as problem:
        sys.stderr.write(f"l2probe: {argv[0]}: {problem.strerror}\n")
    finally:
        os._exit(_NOT_FOUND)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _code(status: int) -> int:
    ended = os.waitstatus_to_exitcode(status)
    return ended if ended >= 0 else 128 - ended


class _Terminal:
    """Remembers who has the terminal, because a shell inside cannot give it back to a process that it cannot see."""

    def __init__(self) -> None:
        self._owner = None
        with contextlib.suppress(OSError):
            self._owner = os.tcgetpgrp(0)

    def take_back(self) -> None:
        """Give the terminal to whoever had it."""
        if self._owner != os.getpgrp():
            return
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            os.tcsetpgrp(0, self._owner)
        signal.signal(signal.SIGTTOU, before)
