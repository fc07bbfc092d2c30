"""What a user waits for before anything is probed, and the main job."""

from __future__ import annotations

import statistics
import sys

from tests.bench.processes import Row, paired, program, seconds

HELP_RATIO_GOAL = 5.0
RUN_SECONDS_GOAL = 8.0
BOOT_SECONDS_GOAL = 1.0


def help_ratio() -> Row:
    """Measure `l2probe --help` against an empty Python."""
    ratio = paired((program(), "--help"), (sys.executable, "-c", "pass"), runs=15)
    return "l2probe --help / python -c pass", f"{ratio:.2f}x", f"<= {HELP_RATIO_GOAL:.0f}x"


def boot() -> Row:
    """Boot the lab, from typing to ready."""
    took = []
    for _ in range(5):
        took.append(seconds((program(), "lab", "up")))
        seconds((program(), "lab", "down"))
    return "l2probe lab up, from typing to ready", f"{statistics.median(took):.2f} s", f"< {BOOT_SECONDS_GOAL:.0f} s"


def smoke() -> Row:
    """Measure the main job from typing to prompt, lab boot and teardown included."""
    took = statistics.median(seconds((program(), "run", "--lab", "-o", "json")) for _ in range(5))
    return "l2probe run --lab, from typing to prompt", f"{took:.2f} s", f"<= {RUN_SECONDS_GOAL:.0f} s"
