"""TCP and UDP exchanges with VIPs through ordinary kernel sockets. A failed exchange is a value, never an exception.

One thread and one selector drive any number of exchanges, so that questions to dead addresses wait side by side. Needs
no privilege: what refused a connection is read from the socket's error queue (ip(7), IP_RECVERR; TCP since Linux 5.8).
"""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

from l2probe.model import Exchange
from l2probe.observe.attempts import Request, Steps, attempt

__all__ = ["Request", "Traffic"]


@dataclass(slots=True, kw_only=True)
class _Running:
    """An exchange under way; `deadline` is monotonic."""

    number: int
    steps: Steps
    deadline: float
    descriptor: int = -1


class _Loop:
    """Drives exchanges until they end; `finished` holds each by its number."""

    def __init__(self, secret: bytes) -> None:
        self.finished: dict[int, Exchange] = {}
        self._secret = secret
        self._selector = selectors.DefaultSelector()
        self._running: dict[int, _Running] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for running in self._running.values():
            running.steps.close()
        self._selector.close()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, number: int, request: Request) -> None:
        """Begin an exchange; its time runs from now."""
        deadline = time.monotonic() + request.timeout
        steps = attempt(request, self._secret)
        self._go_on(_Running(number=number, steps=steps, deadline=deadline), lambda: next(steps))

    def step(self, until: float) -> None:
        """Wait for the next event, the next deadline, or `until` (monotonic), and let those concerned go on."""
        nearest = min((until, *(running.deadline for running in self._running.values())))
        if nearest == float("inf"):
            return
        ready = {key.data for key, _ in self._selector.select(max(0.0, nearest - time.monotonic()))}
        now = time.monotonic()
        over = {running.number for running in self._running.values() if running.deadline <= now}
        for number in sorted(ready | over):
            running = self._running.pop(number)
            self._selector.unregister(running.descriptor)
            self._go_on(running, partial(running.steps.send, number in ready))

    def _go_on(self, running: _Running, resume: Callable[[], tuple[socket.socket, int]]) -> None:
        try:
            sock, events = resume()
        except StopIteration as end:
            self.finished[running.number] = end.value
            return
        running.descriptor = sock.fileno()
        self._selector.register(running.descriptor, events, running.number)
        self._running[running.number] = running


class Traffic:
    """Exchanges that carry the run's secret; `secret` is the key of the echo protocol's HMAC."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def exchange(self, requests: Sequence[Request], *, parallel: int = 32) -> tuple[Exchange, ...]:
        """Put each request once, at most `parallel` at a time; the exchanges come in the order of the requests."""
        waiting = deque(enumerate(requests))
        with _Loop(self._secret) as loop:
            while waiting or len(loop):
                while waiting and len(loop) < parallel:
                    loop.start(*waiting.popleft())
                loop.step(float("inf"))
            return tuple(loop.finished[number] for number in range(len(requests)))

    def knock(
        self,
        requests: Sequence[Request],
        *,
        seconds: float,
        gap: float = 0.25,
        stop: Callable[[Sequence[Exchange]], bool] = lambda _: False,
    ) -> tuple[Exchange, ...]:
        """Put all requests every `gap` seconds for `seconds`, overlapping, each from a new source port.

        `stop` is called at least every `gap` with the attempts that ended so far. When it returns True no more are
        begun, and those that still wait are given up and left out: they prove nothing. Returns the rest by time begun.
        """
        end = time.monotonic() + seconds
        due = time.monotonic()
        number = 0
        with _Loop(self._secret) as loop:
            while (due < end or len(loop)) and not stop(_in_order(loop.finished)):
                if due <= time.monotonic() and due < end:
                    for request in requests:
                        loop.start(number, request)
                        number += 1
                    due += gap
                loop.step(due if due < end else time.monotonic() + gap)
            return _in_order(loop.finished)


def _in_order(finished: dict[int, Exchange]) -> tuple[Exchange, ...]:
    return tuple(finished[number] for number in sorted(finished))
