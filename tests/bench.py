"""The speed goals, measured side by side in one run: `make bench`. Ratios and whole-process seconds, never a test.

Each row names the goal, the figure and what it was compared with; medians, because shared machines are noisy.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tabulate import tabulate

PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
HELP_RATIO_GOAL = 5.0
RUN_SECONDS_GOAL = 8.0
BOOT_SECONDS_GOAL = 1.0


def seconds(argv: Sequence[str]) -> float:
    """Wall time of one whole process; CalledProcessError when it failed."""
    began = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "PATH": PATH})
    return time.perf_counter() - began


def paired(one: Sequence[str], other: Sequence[str], *, runs: int) -> float:
    """Median of the ratio one/other, measured in turn so that a drifting machine drifts under both."""
    return statistics.median(seconds(one) / seconds(other) for _ in range(runs))


def program() -> str:
    """Return the installed console script, as a user starts it."""
    return shutil.which("l2probe", path=str(Path(sys.executable).parent)) or "l2probe"


def help_ratio() -> tuple[str, str, str]:
    """Measure `l2probe --help` against an empty Python."""
    ratio = paired((program(), "--help"), (sys.executable, "-c", "pass"), runs=15)
    return "l2probe --help / python -c pass", f"{ratio:.2f}x", f"<= {HELP_RATIO_GOAL:.0f}x"


def boot() -> tuple[str, str, str]:
    """Boot, run `true` in the client's namespace, tear down; then the boot alone, as the lab measured it."""
    took = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run((program(), "lab", "up"), check=True, capture_output=True, env={**os.environ, "PATH": PATH})
        took.append(time.perf_counter() - began)
        seconds((program(), "lab", "down"))
    return "l2probe lab up, from typing to ready", f"{statistics.median(took):.2f} s", f"< {BOOT_SECONDS_GOAL:.0f} s"


def smoke() -> tuple[str, str, str]:
    """Measure the main job from typing to prompt, lab boot and teardown included."""
    took = statistics.median(seconds((program(), "run", "--lab", "-o", "json")) for _ in range(5))
    return "l2probe run --lab, from typing to prompt", f"{took:.2f} s", f"<= {RUN_SECONDS_GOAL:.0f} s"


ROWS: tuple[Callable[[], tuple[str, str, str]], ...] = (help_ratio, boot, smoke)


def main() -> None:
    """Print one table."""
    print(tabulate([row() for row in ROWS], headers=("what", "measured (median)", "goal"), tablefmt="simple"))


if __name__ == "__main__":
    main()
