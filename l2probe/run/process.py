"""Which process made an object, as text by which another l2probe on this machine can tell whether it still runs.

Linux only, reads /proc. Says nothing about processes of other machines or PID namespaces: there only expiry counts.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

PROC = Path("/proc")
_STATE_FIELD, _START_TIME_FIELD = 0, 19
"""state and starttime are fields 3 and 22 of /proc/PID/stat (proc_pid_stat(5)), 1st and 20th after the name."""
_DEAD = frozenset({"Z", "X"})
"""A zombie waits for its parent, in a container without an init for ever; it does nothing any more."""


def here(proc: Path = PROC) -> str:
    """Return a digest of this machine's boot and PID namespace; empty when /proc does not tell."""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (proc / "self/ns/pid").readlink()
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {namespace}".encode()).hexdigest()[:16]


def started(pid: int, proc: Path = PROC) -> str | None:
    """Return the start time of a process in clock ticks since boot; None when there is none, or only a zombie."""
    try:
        stat = (proc / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[_STATE_FIELD] in _DEAD else fields[_START_TIME_FIELD]


def this(proc: Path = PROC) -> str:
    """Return the annotation of this process: where, process id and start time; empty when /proc does not tell."""
    place, since = here(proc), started(os.getpid(), proc)
    return f"{place}.{os.getpid()}.{since}" if place and since else ""


def alive(mark: str, proc: Path = PROC) -> bool | None:
    """Tell whether the process of an annotation still runs; None when it ran elsewhere."""
    place, _, rest = mark.partition(".")
    pid, _, since = rest.partition(".")
    if not place or place != here(proc) or not pid.isdecimal():
        return None
    return started(int(pid), proc) == since
