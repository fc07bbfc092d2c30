"""Ctrl-C once and SIGTERM: clean up and leave. Ctrl-C twice: leave now and say what is left.

A handler may interrupt a write, so it never touches a buffered stream: what it says goes to the descriptors.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from l2probe.cli import COULD_NOT_TELL
from l2probe.cli.progress import CLEAR_LINE

STDOUT, STDERR = 1, 2
ONE_SECONDS = 0.1
"""timeout(1) and systemd signal a process and then its whole group: what comes so soon is the same request."""


@contextmanager
def interruptible(last_words: tuple[str, str]) -> Iterator[threading.Event]:
    """Give an event that the first signal sets; the second ends the process with these words on stderr and stdout."""
    asked = threading.Event()
    first = 0.0
    clear = CLEAR_LINE if os.isatty(STDERR) else ""

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal first
        del frame
        if asked.is_set():
            if time.monotonic() - first < ONE_SECONDS:
                return
            os.write(STDERR, f"{clear}{last_words[0]}".encode())
            os.write(STDOUT, last_words[1].encode())
            os._exit(COULD_NOT_TELL)
        first = time.monotonic()
        asked.set()
        name = signal.Signals(number).name
        os.write(STDERR, f"{clear}Interrupted by {name}: cleaning up (once more leaves at once).\n".encode())

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
