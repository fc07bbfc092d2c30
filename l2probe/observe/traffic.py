"""TCP and UDP exchanges with VIPs through ordinary kernel sockets. A failed exchange is a value, never an exception.

Needs no privilege: what refused a connection is read from the socket's error queue (ip(7), IP_RECVERR; TCP since
Linux 5.8).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from l2probe.model import Exchange
from l2probe.observe.attempts import Request, attempt
from l2probe.observe.loop import Loop
from l2probe.observe.voices import Voice

__all__ = ["Request", "Traffic"]


class Traffic:
    """Exchanges with the echo Pods, in their `voice`."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    def exchange(self, requests: Sequence[Request], *, parallel: int = 32) -> tuple[Exchange, ...]:
        """Put each request once, at most `parallel` at a time; the exchanges come in the order of the requests."""
        waiting = deque(requests)
        with Loop() as loop:
            while waiting or len(loop):
                while waiting and len(loop) < parallel:
                    self._start(loop, waiting.popleft())
                loop.step()
            return loop.ended()

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
        with Loop() as loop:
            while (due < end or len(loop)) and not stop(loop.ended()):
                if due <= time.monotonic() and due < end:
                    for request in requests:
                        self._start(loop, request)
                    due += gap
                loop.step(due if due < end else time.monotonic() + gap)
            return loop.ended()

    def _start(self, loop: Loop, request: Request) -> None:
        loop.start(attempt(request, self._voice), request.timeout)
