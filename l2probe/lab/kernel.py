"""The Linux calls that Python 3.11 lacks: namespaces, mounts, prctl. Knows nothing of the lab.

Every function changes the calling thread or process and nothing else; failures are OSError with the call's name,
except in `isolate`, which tells a person what to change.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from l2probe.errors import LabError

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x4_0000

_SYS_MOUNT_SETATTR = 442
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 0x1

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAP_NET_RAW = 13

_LIBC = ctypes.CDLL(None, use_errno=True)

# The sysctls that can forbid user namespaces, and the value at which they do.
_FORBIDDING = {
    "user.max_user_namespaces": "0",
    "kernel.unprivileged_userns_clone": "0",
    "kernel.apparmor_restrict_unprivileged_userns": "1",
}


class _MountAttr(ctypes.Structure):
    """struct mount_attr of mount_setattr(2)."""

    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def _check(result: int, call: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Give the calling process new namespaces (CLONE_NEW*). CLONE_NEWUSER needs a single thread."""
    _check(_LIBC.unshare(flags), "unshare")


def setns(descriptor: int, kind: int = 0) -> None:
    """Enter the namespace behind an open file descriptor; `kind` 0 accepts any."""
    _check(_LIBC.setns(descriptor, kind), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Attach a file system, or with MS_BIND a directory or file, at `target`."""
    words = (os.fsencode(source), os.fsencode(target), kind.encode())
    _check(_LIBC.mount(*words, ctypes.c_ulong(flags), data.encode()), f"mount {target}")


def make_read_only(target: str, *, recursive: bool = False) -> None:
    """Forbid writes through this mount (and those below it), whatever other flags it carries."""
    attributes = _MountAttr(attr_set=_MOUNT_ATTR_RDONLY)
    flags = _AT_RECURSIVE if recursive else 0
    call = (
        _SYS_MOUNT_SETATTR,
        _AT_FDCWD,
        os.fsencode(target),
        flags,
        ctypes.byref(attributes),
        ctypes.sizeof(attributes),
    )
    _check(_LIBC.syscall(*call), f"mount_setattr {target}")


def _prctl(option: int, first: int = 0) -> int:
    result: int = _LIBC.prctl(option, ctypes.c_ulong(first), *(ctypes.c_ulong(0),) * 3)
    return result


def die_with_parent(parent: int | None = None) -> None:
    """Have the kernel kill this process when its parent ends; with `parent` given also when that is gone already.

    A change of credentials (unshare of a user namespace) forgets it, so it is called after that (prctl(2),
    PR_SET_PDEATHSIG).
    """
    _check(_prctl(_PR_SET_PDEATHSIG, signal.SIGKILL), "prctl PDEATHSIG")
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def outlive_parent() -> None:
    """Undo `die_with_parent`."""
    _check(_prctl(_PR_SET_PDEATHSIG, 0), "prctl PDEATHSIG")


def allow_inspection() -> None:
    """Let processes of the same user read our /proc entries again, which a change of credentials forbade."""
    _check(_prctl(_PR_SET_DUMPABLE, 1), "prctl DUMPABLE")


def forbid_raw_sockets() -> None:
    """Give up CAP_NET_RAW for good, for whatever this process becomes by exec."""
    _check(_prctl(_PR_CAPBSET_DROP, _CAP_NET_RAW), "prctl CAPBSET_DROP")


def drop_privileges() -> None:
    """Give up every capability for good: none can be gained by any later exec (no_new_privs, empty bounding set)."""
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for capability in range(last + 1):
        _check(_prctl(_PR_CAPBSET_DROP, capability), "prctl CAPBSET_DROP")
    _check(_prctl(_PR_SET_NO_NEW_PRIVS, 1), "prctl NO_NEW_PRIVS")


def open_network() -> int:
    """Return a file descriptor of the calling thread's network namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def new_network() -> int:
    """Make an empty network namespace that lives as long as the returned descriptor (and what runs in it)."""
    home = open_network()
    try:
        unshare(CLONE_NEWNET)
        return open_network()
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)


@contextlib.contextmanager
def inside(network: int) -> Iterator[None]:
    """Run a block in the network namespace behind `network`. Sockets made there stay there. Must not span an await."""
    home = open_network()
    try:
        setns(network, CLONE_NEWNET)
        yield
    finally:
        setns(home, CLONE_NEWNET)
        os.close(home)


def isolate() -> bool:
    """Leave the host's network, mounts and (for children) processes; return whether a user namespace was needed.

    Root does without one, everyone else gets one with a single identity: our own, seen as 0. The mount tree is private
    afterwards. Call it in a process with one thread, before asyncio. LabError names the sysctl that forbids it.
    """
    try:
        rootless = _leave()
        mount("none", "/", flags=MS_REC | MS_PRIVATE)
    except OSError as problem:
        raise _refused(problem) from problem
    allow_inspection()
    return rootless


def _leave() -> bool:
    world = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID
    if os.geteuid() == 0:
        # A container's root may lack CAP_SYS_ADMIN: it is treated like any user.
        with contextlib.suppress(PermissionError):
            unshare(world)
            return False
    user, group = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER | world)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    return True


def _refused(problem: OSError) -> LabError:
    found = [f"{name}={value}" for name, value in _FORBIDDING.items() if _sysctl(name) == value]
    why = f" ({', '.join(found)})" if found else ""
    return LabError(
        f"The kernel refused the lab its namespaces: {problem.strerror}{why}.",
        "Run it as root, or allow user namespaces: sysctl -w user.max_user_namespaces=15000"
        " (Debian: kernel.unprivileged_userns_clone=1, Ubuntu: kernel.apparmor_restrict_unprivileged_userns=0);"
        " in Docker add --privileged.",
    )


def _sysctl(name: str) -> str | None:
    try:
        return Path("/proc/sys", *name.split(".")).read_text().strip()
    except OSError:
        return None
