"""The sweep of an audit against arp-scan, side by side on a segment of two namespaces."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator

from tests.bench.processes import PATH, Row

ADDRESSES, SILENT = 4000, 400
RATIO_GOAL = 1.2


def sweeps() -> Iterator[Row]:
    """Measure where all answer, and where a tenth is silent."""
    if shutil.which("arp-scan", path=PATH) is None:
        yield "sweep / arp-scan -B100M", "arp-scan is not installed", f"<= {RATIO_GOAL}x"
        return
    ours, peer = measured(ADDRESSES, 0)
    ratio = statistics.median(one / other for one, other in zip(ours, peer, strict=True))
    said = f"{ratio:.2f}x ({statistics.median(ours) * 1000:.0f} ms / {statistics.median(peer) * 1000:.0f} ms)"
    yield f"sweep of {ADDRESSES} addresses / arp-scan -B100M", said, f"<= {RATIO_GOAL}x"
    some, peer = measured(ADDRESSES - SILENT, SILENT)
    said = f"{statistics.median(some) * 1000:.0f} ms (arp-scan: {statistics.median(peer) * 1000:.0f} ms)"
    yield f"the same with {SILENT} silent ones", said, "one wait more, no multiple"


def measured(answering: int, silent: int) -> tuple[list[float], list[float]]:
    """Return the seconds of our sweeps and of arp-scan's."""
    argv = ("unshare", "--user", "--map-root-user", "--net", sys.executable, "-m", "tests.bench.segment")
    done = subprocess.run(
        (*argv, str(answering), str(silent)), check=True, capture_output=True, env={**os.environ, "PATH": PATH}
    )
    found = json.loads(done.stdout)
    return found["sweep"], found["arp_scan"]
