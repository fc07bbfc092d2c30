"""Running the real command in the real lab: each test starts `l2probe` as a user would and reads what it printed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parents[1] / "dialects"
PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A finished command."""

    code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        """The one JSON document on stdout."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    @property
    def codes(self) -> list[str]:
        """The findings' codes, in the order of the report."""
        return [finding["code"] for finding in self.report["findings"]]

    @property
    def causes(self) -> list[str]:
        """The codes of findings that no other finding explains."""
        return [finding["code"] for finding in self.report["findings"] if not finding["consequence_of"]]

    @property
    def worst(self) -> set[str]:
        """Every verdict that a finding carries."""
        return {finding["verdict"] for finding in self.report["findings"]}


Command = Callable[..., Ran]


def commander() -> Command:
    """Return a function that runs `l2probe ARGS…` to its end; skip the test where labs are impossible."""
    if shutil.which("nft", path=PATH) is None:
        pytest.skip("the lab needs nft: apt-get install nftables")

    def run(*args: str, timeout: float = 90, env: dict[str, str] | None = None) -> Ran:
        done = subprocess.run(
            (sys.executable, "-m", "l2probe", *args),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": PATH, **(env or {})},
        )
        print(done.stderr, file=sys.stderr)
        return Ran(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    return run


@contextmanager
def dialect_images() -> Iterator[dict[str, str]]:
    """Give the environment in which the lab has agnhost and whoami; Pods may not enter pytest's own directories."""
    directory = Path(tempfile.mkdtemp(prefix="l2probe-images-"))
    directory.chmod(0o755)
    for program in PROGRAMS.glob("*.py"):
        shutil.copy(program, directory / program.stem)
        (directory / program.stem).chmod(0o755)
    try:
        yield {"L2PROBE_LAB_IMAGES": str(directory)}
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def l2probe() -> Command:
    """Return a function that runs `l2probe ARGS…` to its end; the test's message shows stderr when it fails."""
    return commander()
