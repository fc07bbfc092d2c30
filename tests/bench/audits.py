"""`audit` of a big cluster against the same lists fetched and decoded alone, from a server that has the bytes ready."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.processes import Row, program, seconds

SERVICES, NODES, RUNS = 10_000, 500, 5
RATIO_GOAL, MEGABYTES_GOAL = 2.0, 150
FETCH = "tests.bench.fetch"
Commands = tuple[tuple[str, ...], tuple[str, ...]]


@contextmanager
def serving(services: int) -> Iterator[Commands]:
    """Serve a cluster of this size; yields the command lines of the audit and of its peer."""
    argv = (sys.executable, "-m", "tests.bench.recorded_api", str(services), str(NODES))
    with (
        tempfile.TemporaryDirectory() as directory,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        kubeconfig = Path(directory) / "config"
        kubeconfig.write_text(json.dumps(config(url)))
        yield (program(), "audit", "-q", "--kubeconfig", str(kubeconfig)), (sys.executable, "-m", FETCH, url)
        server.stdin.close()


def config(url: str) -> dict[str, object]:
    """Return a kubeconfig without a credential."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "bench",
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "clusters": [{"name": "bench", "cluster": {"server": url}}],
        "users": [{"name": "bench", "user": {}}],
    }


def timed(commands: Commands) -> tuple[float, float]:
    """Return the medians of audit and peer, run in turn."""
    pairs = [(seconds(commands[0]), seconds(commands[1])) for _ in range(RUNS)]
    return statistics.median(one for one, _ in pairs), statistics.median(other for _, other in pairs)


def big_audit() -> Iterator[Row]:
    """Measure whole processes; then what the cluster's size adds, which is what is left after start-up."""
    with serving(1) as commands:
        started = timed(commands)
    with serving(SERVICES) as commands:
        ended = timed(commands)
    whole, size = ended[0] / ended[1], (ended[0] - started[0]) / (ended[1] - started[1])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    what = f"audit of {SERVICES} Services / the same lists by urllib3 and msgspec"
    yield f"{what}, whole processes", f"{whole:.2f}x ({ended[0]:.2f} s / {ended[1]:.2f} s)", f"<= {RATIO_GOAL:.0f}x"
    yield f"{what}, after start-up", f"{size:.2f}x", f"<= {RATIO_GOAL:.0f}x"
    yield f"audit of {SERVICES} Services, peak of memory", f"{peak} MB", f"<= {MEGABYTES_GOAL} MB"
