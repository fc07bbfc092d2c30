"""One machine of the real cluster: what it runs, in which order, how it is switched on; init.py is what runs inside.

A machine is a network namespace made by network.py plus mount, PID, UTS and IPC namespaces of its own. It ends, with
all that it runs, when its first process ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.real.build import cache
from tests.real.command import PATH
from tests.real.hosts import CGROUP, WORLD
from tests.real.network import namespace

CACHE_WITHIN = Path("/run/l2probe-cache")
"""Where a machine sees the cache, whatever it covers."""
PKI = WORLD / "pki"
API_IS_UP = WORLD / "api-is-up"
"""Appears when the API server's own roles and the Node objects are there; who needs them waits for it."""
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing a machine does as it comes up: wait for `await_file`, or run `argv`, to its end or as long as it is on.

    `name` names the log file of a program that keeps running; "" runs to its end, and nothing follows if that fails.
    """

    argv: tuple[str, ...] = ()
    name: str = ""
    await_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What is needed to switch one machine on. `files`: path inside the machine to text. `cgroup`: it runs Pods."""

    name: str
    steps: tuple[Step, ...]
    files: Mapping[str, str]
    cgroup: bool = False


def within_cache(file: Path) -> str:
    """Return the path of a file of the cache as a machine sees it."""
    return str(CACHE_WITHIN / file.relative_to(cache()))


def switch_on(machine: Machine) -> None:
    """Start the machine and return at once; it writes to WORLD/log and lives on after us."""
    orders = WORLD / f"{machine.name}.json"
    group = f"{CGROUP}/{machine.name}" if machine.cgroup else ""
    plan = {**asdict(machine), "world": str(WORLD), "cache": str(cache()), "cgroup": group}
    orders.write_text(json.dumps(plan, indent=1))
    log = WORLD / "log"
    log.mkdir(exist_ok=True)
    unshare = ("unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc")
    init = (sys.executable, "-m", "tests.real.init", str(orders))
    with (log / f"{machine.name}.log").open("ab") as output:
        subprocess.run(
            ("setsid", "--fork", "nsenter", f"--net={namespace(machine.name)}", *unshare, *init),
            cwd=REPOSITORY,
            env={"PATH": PATH, "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=True,
        )


def cgroups() -> tuple[Path, ...]:
    """Return our directory in every cgroup hierarchy that has one (version 1: one per controller; version 2: one)."""
    base = Path("/sys/fs/cgroup")
    return tuple(each for each in (base / CGROUP, *(there / CGROUP for there in base.iterdir())) if each.is_dir())


def remove_cgroups() -> None:
    """Remove the groups that ended Pods left behind, innermost first."""
    for top in cgroups():
        for directory, _, _ in os.walk(top, topdown=False):
            Path(directory).rmdir()
