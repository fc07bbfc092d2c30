"""How long whole processes take, alone and against another one."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
Row = tuple[str, str, str]
"""What was measured, the figure, the goal."""


def seconds(argv: Sequence[str], env: Mapping[str, str] | None = None, good: Sequence[int] = (0,)) -> float:
    """Wall time of one whole process; CalledProcessError when it ended with another code than a `good` one."""
    began = time.perf_counter()
    done = subprocess.run(argv, check=False, capture_output=True, env={**os.environ, "PATH": PATH, **(env or {})})
    took = time.perf_counter() - began
    if done.returncode not in good:
        raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
    return took


def paired(one: Sequence[str], other: Sequence[str], *, runs: int, env: Mapping[str, str] | None = None) -> float:
    """Median of the ratio one/other, measured in turn so that a drifting machine drifts under both."""
    return statistics.median(seconds(one, env) / seconds(other, env) for _ in range(runs))


def program() -> str:
    """Return the installed console script, as a user starts it."""
    return shutil.which("l2probe", path=str(Path(sys.executable).parent)) or "l2probe"
