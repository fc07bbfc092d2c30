"""Passes signals on to the command that runs inside, and the terminal's stop and continue with them."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType, TracebackType
from typing import Any, Self

_PASSED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTSTP,
    signal.SIGWINCH,
)
_FATAL = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}


class Relay:
    """While entered, signals go to the command named by `to`; before there is one, a fatal signal ends the lab.

    `gave_up`: the signal that ended the lab before the command had started, else None.
    """

    def __init__(self, holder: int) -> None:
        self._holder = holder
        self._command: int | None = None
        self._before: dict[int, Any] = {}
        self.gave_up: int | None = None

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._pass) for number in _PASSED}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._command is not None:
            os.close(self._command)

    def to(self, pid: int) -> None:
        """Name the command that signals go to; gone already is no error."""
        with contextlib.suppress(ProcessLookupError):
            self._command = os.pidfd_open(pid)

    def _pass(self, number: int, _: FrameType | None) -> None:
        if self._command is None:
            if number in _FATAL:
                self.gave_up = number
                _kill(self._holder)
            return
        if number != signal.SIGTSTP:
            self._send(number)
            return
        # The command is in a session of its own, where the terminal's stop would be ignored.
        self._send(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._send(signal.SIGCONT)

    def _send(self, number: int) -> None:
        assert self._command is not None
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._command, number)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
