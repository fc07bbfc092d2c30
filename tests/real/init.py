"""The first process of a machine: private mounts, then its steps in order, then it reaps until it is killed.

Runs inside the machine's namespaces as PID 1 and knows nothing of Kubernetes. Whatever it mounts goes with it, so a
machine that is killed at any moment leaves no mount and no file behind.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PRIVATE = ("/run", "/var/lib", "/var/log", "/tmp")
SYSCTLS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
}
"""What a kubelet wants these machine-wide settings to be (pkg/util/sysctl in Kubernetes). It writes only what differs,
so it is shown files that agree, and the real ones stay as they are."""
RESOLVER = "/etc/resolv.conf"
"""A machine has no name server: whoever asks for a registry is refused at once and need not wait for a time-out."""

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
MS_BIND, MS_REC, MS_SHARED = 0x1000, 0x4000, 1 << 20
"""Flags of mount(2), from <linux/mount.h>."""


def main(orders: str) -> None:
    """Be the machine that the file `orders` describes; never returns."""
    plan: dict[str, Any] = json.loads(Path(orders).read_text())
    socket.sethostname(plan["name"])
    _mounts(plan)
    if plan["cgroup"]:
        _cgroups(plan["cgroup"])
    for file, text in plan["files"].items():
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(text)
    for step in plan["steps"]:
        _do(step, Path(plan["world"]) / "log" / plan["name"])
    _say("came up")
    while True:
        pid, status = os.wait()
        if pid in NAMED:
            _say(f"{NAMED[pid]} ended with {os.waitstatus_to_exitcode(status)}")


NAMED: dict[int, str] = {}
"""The programs that should run for as long as the machine is on, by process."""


def _mounts(plan: dict[str, Any]) -> None:
    """Cover what machines must not share, and keep in sight the cache and the world, wherever the host has them."""
    kept = {path: os.open(path, os.O_PATH) for path in (plan["world"], plan["cache"], "/sys/fs/cgroup")}
    for path in PRIVATE:
        _mount("tmpfs", path, kind="tmpfs", data="mode=1777" if path == "/tmp" else "mode=755")
    # A new sysfs shows the network devices of this namespace, but hides the cgroup hierarchies mounted on the old one.
    _mount("sysfs", "/sys", kind="sysfs")
    for path, where in ((plan["world"],) * 2, (plan["cache"], "/run/l2probe-cache"), ("/sys/fs/cgroup",) * 2):
        Path(where).mkdir(parents=True, exist_ok=True)
        _mount(f"/proc/self/fd/{kept[path]}", where, flags=MS_BIND | MS_REC)
    if Path(RESOLVER).exists():
        Path("/run/resolv.conf").write_text("nameserver 127.0.0.1\n")
        _mount("/run/resolv.conf", RESOLVER, flags=MS_BIND)
    for name, value in SYSCTLS.items():
        seen = Path("/run/sysctl") / name
        seen.parent.mkdir(parents=True, exist_ok=True)
        seen.write_text(f"{value}\n")
        if Path("/proc/sys", name).exists():
            _mount(str(seen), f"/proc/sys/{name}", flags=MS_BIND)
    _mount("none", "/", flags=MS_SHARED | MS_REC)


def _mount(source: str, target: str, *, kind: str = "none", flags: int = 0, data: str = "") -> None:
    """Call mount(2) itself: the program would resolve /proc/self/fd/N to a path that is covered by now."""
    if LIBC.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode()):
        raise OSError(ctypes.get_errno(), f"mounting {source} on {target}: {os.strerror(ctypes.get_errno())}")


def _cgroups(name: str) -> None:
    """Make the group below which this machine's Pods live, in the one hierarchy (v2) or in each of them (v1)."""
    base = Path("/sys/fs/cgroup")
    roots = [base] if (base / "cgroup.controllers").exists() else [each for each in base.iterdir() if each.is_dir()]
    for root in roots:
        group = root
        for part in Path(name).parts:
            _open_up(group)
            group /= part
            group.mkdir(exist_ok=True)
            _inherit_cpus(group)


def _open_up(group: Path) -> None:
    """Hand the controllers of a version 2 group on to its children."""
    offered = group / "cgroup.controllers"
    if offered.exists():
        wanted = " ".join(f"+{each}" for each in offered.read_text().split())
        (group / "cgroup.subtree_control").write_text(wanted)


def _inherit_cpus(group: Path) -> None:
    """Version 1: a new cpuset allows nothing until its CPUs and memory nodes are filled in."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        file, above = group / name, group.parent / name
        if above.exists() and not file.read_text().strip():
            file.write_text(above.read_text())


def _do(step: dict[str, Any], log: Path) -> None:
    """Do one step; a program that had to run to its end and failed ends the machine."""
    if step["await_file"]:
        while not Path(step["await_file"]).exists():
            time.sleep(0.05)
    elif step["name"]:
        log.mkdir(parents=True, exist_ok=True)
        with (log / f"{step['name']}.log").open("ab") as output:
            started = subprocess.Popen(step["argv"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/")
        NAMED[started.pid] = step["name"]
    else:
        subprocess.run(step["argv"], check=True, stdout=subprocess.DEVNULL, cwd="/")


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")


if __name__ == "__main__":
    main(sys.argv[1])
