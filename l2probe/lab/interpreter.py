"""Which Python the Pods run, and as whom."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from l2probe.errors import LabError
from l2probe.lab import kernel

NOBODY = 65534
_OTHERS_MAY_ENTER = 0o001


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """`directory` holds `python3`; `user` is the uid that Pods become, None where there is only one.

    `libraries`: where the loader finds a shared libpython whose own place Pods cannot enter; empty when not needed.
    """

    directory: str
    user: int | None
    libraries: str = ""

    def environment(self, path: str) -> dict[str, str]:
        """Return the variables by which a program called `python3` is this one; `path` is searched after it."""
        found = {"PATH": f"{self.directory}:{path}"}
        return {**found, "LD_LIBRARY_PATH": self.libraries} if self.libraries else found


def for_pods(*, rootless: bool, spare: str) -> Interpreter:
    """Return the interpreter for the Pods' processes, made reachable for them.

    `spare`: a directory of the lab at which an interpreter in a private place (root's home, say) is shown. A virtual
    environment is not used: its start costs more and the Pods need the standard library only. LabError when it is in
    a place that the lab's user namespace may not enter.
    """
    directory = str(Path(sys.executable).resolve().parent)
    if rootless:
        if not os.access(sys.executable, os.X_OK):
            raise LabError(
                f"In a user namespace {sys.executable} may not be executed.",
                "Install l2probe with a Python that every user may read, or run it as root.",
            )
        return Interpreter(directory=directory, user=None)
    if not _reachable(directory):
        Path(spare).mkdir(parents=True, exist_ok=True)
        kernel.mount(sys.base_prefix, spare, flags=kernel.MS_BIND | kernel.MS_REC)
        directory = f"{spare}/{os.path.relpath(directory, os.path.realpath(sys.base_prefix))}"
        return Interpreter(directory=directory, user=NOBODY, libraries=f"{spare}/lib")
    return Interpreter(directory=directory, user=NOBODY)


def _reachable(directory: str) -> bool:
    path = Path(directory)
    return all(step.stat().st_mode & _OTHERS_MAY_ENTER for step in (path, *path.parents))
