"""One thread and one selector that drive any number of exchanges, so that dead addresses wait side by side."""

from __future__ import annotations

import selectors
import time
from dataclasses import dataclass
from typing import Self

from l2probe.model import Exchange
from l2probe.observe.steps import Steps


@dataclass(slots=True, kw_only=True)
class _Running:
    """An exchange under way; `deadline` is monotonic."""

    number: int
    steps: Steps
    deadline: float
    descriptor: int = -1


class Loop:
    """Drives exchanges until they end; `len()` is how many are under way. Leaving it gives up those that still are."""

    def __init__(self) -> None:
        self._begun = 0
        self._finished: dict[int, Exchange] = {}
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

    def ended(self) -> tuple[Exchange, ...]:
        """Return those that ended, in the order in which they began."""
        return tuple(self._finished[number] for number in sorted(self._finished))

    def start(self, steps: Steps, timeout: float) -> None:
        """Begin an exchange; its `timeout` seconds run from now."""
        self._begun += 1
        self._go_on(_Running(number=self._begun, steps=steps, deadline=time.monotonic() + timeout), None)

    def step(self, until: float = float("inf")) -> None:
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
            self._go_on(running, number in ready)

    def _go_on(self, running: _Running, came: bool | None) -> None:  # noqa: FBT001 - what a generator is sent
        try:
            sock, events = next(running.steps) if came is None else running.steps.send(came)
        except StopIteration as end:
            self._finished[running.number] = end.value
            return
        running.descriptor = sock.fileno()
        self._running[running.number] = running
        self._selector.register(running.descriptor, events, running.number)
