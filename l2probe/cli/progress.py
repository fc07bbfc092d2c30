"""Progress on stderr: one updating line on a terminal, a line per change elsewhere. Never on stdout."""

from __future__ import annotations

import shutil
import sys
import threading
from typing import TextIO

CLEAR_LINE = "\r\x1b[K"


class Progress:
    """Says what a run is waiting for. Safe to call from every thread."""

    def __init__(self, *, quiet: bool, verbose: bool, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        self._updating = self._stream.isatty() and not verbose
        self._last = ""
        self._lock = threading.Lock()

    def __call__(self, text: str, topic: str = "") -> None:
        """Show one step; the same again shows nothing, and in a log nor does another on the same topic."""
        with self._lock:
            news = text if self._updating else topic or text
            if self._quiet or news == self._last:
                return
            self._last = news
            self._write(text)

    def _write(self, text: str) -> None:
        if self._updating:
            width = shutil.get_terminal_size().columns
            self._stream.write(CLEAR_LINE + (text if len(text) < width else f"{text[: width - 2]}…"))
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Take the updating line away before something else is printed."""
        with self._lock:
            if self._updating and self._last:
                self._stream.write(CLEAR_LINE)
                self._stream.flush()
            self._last = ""
