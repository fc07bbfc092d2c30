"""How wide what we print may be."""

from __future__ import annotations

import shutil
import sys


def width() -> int | None:
    """Return the columns of the terminal that stdout is; None where it is none, so that nothing need be wrapped."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
