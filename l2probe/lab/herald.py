"""When a node tells everyone about its addresses, again and again as `Telling` says. Sends nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from l2probe.lab.driver import Telling

Tell = Callable[[bytes, tuple[int, ...], int], None]
"""Sends one round about a packed address: its ARP operations, the length of its frames in bytes."""


class Herald:
    """Calls `tell` for each address that is new, and again until its rounds are over or the address is gone."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._known: frozenset[bytes] = frozenset()
        self._timers: dict[bytes, asyncio.TimerHandle] = {}

    def know(self, addresses: frozenset[bytes], telling: Telling | None) -> None:
        """Know exactly these (packed) from now on; new ones are told so, None: not at all."""
        new, self._known = addresses - self._known, addresses
        for ip in self._timers.keys() - addresses:
            self._timers.pop(ip).cancel()
        if telling is not None:
            for ip in sorted(new):
                self._round(ip, telling, 0)

    def _round(self, ip: bytes, telling: Telling, done: int) -> None:
        self._timers.pop(ip, None)
        self._tell(ip, telling.operations[done % len(telling.operations)], telling.frame_bytes)
        if telling.rounds is None or done + 1 < telling.rounds:
            later = asyncio.get_running_loop().call_later(telling.pause, self._round, ip, telling, done + 1)
            self._timers[ip] = later
