"""Work that controllers do: keys to reconcile, each one at a time, retried while the server is in trouble."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Generic, TypeVar

from l2probe.lab.controllers.client import CONFLICT, UNREACHABLE, ApiError

FIRST_RETRY_SECONDS = 0.05
LONGEST_RETRY_SECONDS = 5.0

T = TypeVar("T", bound=Hashable)
_log = logging.getLogger(__name__)


class Activity:
    """Counts what is under way in the whole cluster, so that "nothing is left to do" can be awaited."""

    def __init__(self) -> None:
        self._under_way = 0
        self._lull: asyncio.Event | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()

    def begin(self) -> None:
        """One more thing is under way."""
        self._under_way += 1
        self._quiet.clear()

    def end(self) -> None:
        """One thing is done; what it caused has begun already, because caches learn writes at once."""
        self._under_way -= 1
        if self._under_way <= 1 and self._lull is not None:
            self._lull.set()
            self._lull = None
        if not self._under_way:
            self._quiet.set()

    async def lull(self, longest: float) -> None:
        """Return when nothing but the caller's own work is under way, after `longest` seconds at the latest."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest):
                while self._under_way > 1:
                    self._lull = self._lull or asyncio.Event()
                    await self._lull.wait()

    async def quiet(self) -> None:
        """Return when nothing is under way."""
        while self._under_way:
            await self._quiet.wait()


class Tasks:
    """Background tasks of one cluster. The first that crashes is kept in `crashed` and logged; it ends no other."""

    def __init__(self) -> None:
        self.crashed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run the coroutine until it ends or `close` cancels it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (crash := task.exception()) is None:
            return
        _log.error("a controller crashed", exc_info=crash)
        if not self.crashed.done():
            self.crashed.set_exception(crash)

    async def close(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        while tasks := tuple(self._tasks):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        if self.crashed.done():
            self.crashed.exception()
        else:
            self.crashed.cancel()


class WorkQueue(Generic[T]):
    """Calls `handle` for each key that was added, keys side by side, one key never twice at once.

    A key added several times before its turn is handled once. An ApiError that may pass and a server that does not
    answer are retried with growing pauses; other refusals are logged, and a watch event will bring the key back.
    """

    def __init__(self, handle: Callable[[T], Awaitable[None]], tasks: Tasks, activity: Activity) -> None:
        self._handle = handle
        self._tasks = tasks
        self._activity = activity
        self._running: set[T] = set()
        self._again: set[T] = set()
        self._timers: dict[T, asyncio.TimerHandle] = {}

    def add(self, key: T) -> None:
        """Handle the key soon; a timer of it is dropped."""
        self.forget(key)
        if key in self._running:
            self._again.add(key)
            return
        self._running.add(key)
        self._activity.begin()
        self._tasks.start(self._run(key))

    def add_after(self, key: T, seconds: float) -> None:
        """Handle the key after that time, unless it is added before."""
        self.forget(key)
        self._timers[key] = asyncio.get_running_loop().call_later(seconds, self._due, key)

    def forget(self, key: T) -> None:
        """Drop the key's timer."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()

    def close(self) -> None:
        """Drop all timers."""
        for key in tuple(self._timers):
            self.forget(key)

    def _due(self, key: T) -> None:
        self._timers.pop(key, None)
        self.add(key)

    async def _run(self, key: T) -> None:
        try:
            pause = FIRST_RETRY_SECONDS
            while True:
                self._again.discard(key)
                retry = not await self._try(key)
                if key in self._again:
                    continue
                if not retry:
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_RETRY_SECONDS)
        finally:
            self._running.discard(key)
            self._activity.end()

    async def _try(self, key: T) -> bool:
        try:
            await self._handle(key)
        except ApiError as refusal:
            _log.info("%s: %s", key, refusal)
            # After a conflict the watch brings the newer object, and that adds the key again.
            return not refusal.passing or refusal.code == CONFLICT
        except UNREACHABLE as broken:
            _log.info("%s: %s", key, broken)
            return False
        return True
