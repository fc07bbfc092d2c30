"""Private views of the file system: directories added where the host has none, without writing to the host.

Works only in a mount namespace of our own (`kernel.isolate`); everything disappears with it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from l2probe.lab import kernel

_TMPFS = kernel.MS_NOSUID | kernel.MS_NODEV


def mount_tmpfs(target: str, *, mebibytes: int = 64) -> None:
    """Mount an empty file system that lives in memory, and takes no more of it than that."""
    kernel.mount("tmpfs", target, "tmpfs", _TMPFS, f"mode=0755,size={mebibytes}m")


def overlay(directory: str, target: str | None = None) -> str:
    """Cover a directory with a tmpfs that shows the same entries, so that new ones can be made; return where it is.

    `target`: cover this one instead, leaving `directory` as it is.
    """
    below = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    cover = target or directory
    try:
        mount_tmpfs(cover)
        for name in os.listdir(below):  # noqa: PTH208 - pathlib knows no directory descriptors
            # What may not be mirrored (a FUSE mount of another user, say) is simply not seen.
            with contextlib.suppress(OSError):
                _mirror(below, name, f"{cover}/{name}")
    finally:
        os.close(below)
    return cover


def _mirror(below: int, name: str, target: str) -> None:
    mode = os.stat(name, dir_fd=below, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        Path(target).symlink_to(os.readlink(name, dir_fd=below))
        return
    if stat.S_ISDIR(mode):
        Path(target).mkdir()
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC))
    source = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=below)
    try:
        kernel.mount(f"/proc/self/fd/{source}", target, flags=kernel.MS_BIND | kernel.MS_REC)
    finally:
        os.close(source)


def bind(binds: Sequence[tuple[str, str]], *, spare: str) -> None:
    """Show each source directory read-only at its mount path, in this mount namespace; all else becomes read-only too.

    `spare`: an existing empty directory that becomes the root when a mount path's first component does not exist.
    """
    sources = [os.open(source, os.O_PATH | os.O_CLOEXEC) for source, _ in binds]
    for descriptor, (_, target) in zip(sources, binds, strict=True):
        _make_directory(os.path.normpath(target), spare)
        kernel.mount(f"/proc/self/fd/{descriptor}", target, flags=kernel.MS_BIND)
        os.close(descriptor)
    kernel.make_read_only("/", recursive=True)


def _make_directory(path: str, spare: str) -> None:
    """Make a directory although its parents belong to the host: cover the last one that exists."""
    if Path(path).is_dir():
        return
    there = Path(path).parent
    while not there.is_dir():
        there = there.parent
    if str(there) == "/":
        os.chroot(overlay("/", spare))
        os.chdir("/")
    else:
        overlay(str(there))
    Path(path).mkdir(parents=True)
