"""What /version says."""

from __future__ import annotations

import platform
import re
from typing import Final

from l2probe.lab.api.objects import Obj

PATTERN: Final = re.compile(r"^v(?P<major>\d+)\.(?P<minor>\d+)\.\d+")
MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


def version_info(git_version: str) -> Obj:
    """Return version.Info; ValueError when `git_version` does not look like v1.2.3."""
    match = PATTERN.match(git_version)
    if match is None:
        raise ValueError(f"{git_version!r} does not look like v1.2.3")
    machine = platform.machine()
    return {
        "major": match["major"],
        "minor": match["minor"],
        "gitVersion": git_version,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "none",
        "compiler": "none",
        "platform": f"linux/{MACHINES.get(machine, machine)}",
    }
