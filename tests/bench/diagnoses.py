"""`diagnose` of a dead and of a healthy Service in the lab: the time after start-up, as its own report states it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Iterator

from tests.bench.processes import PATH, Row, program

RUNS = 5
DEAD_GOAL, HEALTHY_GOAL = 3.5, 1.0
PROFILE = ("--lab", "--profile", "cilium-1.20.2-dsr")


def diagnoses() -> Iterator[Row]:
    """Measure both."""
    dead = statistics.median(stated("--fault", "silent-leader") for _ in range(RUNS))
    healthy = statistics.median(stated() for _ in range(RUNS))
    yield "diagnose of a dead VIP, after start-up", f"{dead:.2f} s", f"<= {DEAD_GOAL} s"
    yield "diagnose of a healthy Service, after start-up", f"{healthy:.2f} s", f"< {HEALTHY_GOAL:.0f} s"


def stated(*words: str) -> float:
    """Return the duration that one run states."""
    done = subprocess.run(
        (program(), "diagnose", "-q", *PROFILE, *words, "shop/api", "-o", "json"),
        check=False,
        capture_output=True,
        env={**os.environ, "PATH": PATH},
    )
    return float(json.loads(done.stdout)["duration_seconds"])
