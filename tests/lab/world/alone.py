"""Runs a command in a network namespace of its own, so that tests of the one lab of a user do not meet each other.

`python -m tests.lab.world.alone ARGV…`: abstract sockets and the loopback are new and empty there.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from l2probe.lab import kernel
from l2probe.lab import rtnetlink as rt


def main() -> None:
    """Become the command, alone."""
    if os.geteuid() == 0:
        kernel.unshare(kernel.CLONE_NEWNET)
    else:
        user, group = os.geteuid(), os.getegid()
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    rt.Netlink().do(rt.up(1))
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
