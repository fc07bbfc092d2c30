"""What tests of the process tree need: run scripts, find every process of a lab, wait until none is left."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from l2probe.errors import LabError
from l2probe.lab import kernel
from tests.lab.world.stage import ROOT

PREFIX = (sys.executable, "-m", "tests.lab.world.alone", sys.executable, "-c")
HEAD = "import json, os, signal, sys, time\nfrom l2probe.lab import control, entering, holder, session\n"
# Lets a script name any program where the product always runs l2probe.
ANY_PROGRAM = "holder.argv_of_ours = tuple\n"
# A Python program that tells each SIGINT and SIGTERM it gets, and leaves with 5 after `enough` of them.
COUNT = """
import signal, sys
seen = []
def note(number, frame):
    seen.append(number)
    print("got", signal.Signals(number).name, flush=True)
    if len(seen) == {enough}:
        sys.exit(5)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, note)
print("running", flush=True)
while True:
    signal.pause()
"""


def possible() -> None:
    """Skip the test with the kernel's reason where labs are impossible."""
    child = os.fork()
    if not child:
        try:
            kernel.isolate()
        except LabError:
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        pytest.skip("the kernel refuses namespaces")


def run(script: str, *, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a script to its end."""
    return subprocess.run(
        (*PREFIX, HEAD + script), cwd=ROOT, text=True, capture_output=True, timeout=timeout, check=False
    )


@contextlib.contextmanager
def started(script: str, *, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run a script in the background; kill it in the end if it still runs."""
    with subprocess.Popen(
        (*PREFIX, HEAD + script),
        cwd=ROOT,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **(env or {})},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def relays(outer: int) -> bool:
    """Wait until the outer process has heard which command its signals go to: it holds a pidfd of it then.

    A command may speak before that; a signal in between ends the whole lab, as one during its boot does.
    """
    for _ in range(1000):
        links = [str(entry.readlink()) for entry in Path(f"/proc/{outer}/fd").iterdir() if entry.is_symlink()]
        if any("pidfd" in link for link in links):
            return True
        threading.Event().wait(0.01)
    return False


def namespace(pid: int, kind: str = "pid") -> str:
    """Return the name of a process's namespace."""
    return str(Path(f"/proc/{pid}/ns/{kind}").readlink())


def members(pid_namespace: str) -> list[int]:
    """Return all processes in a PID namespace; the dead that nobody has collected yet do not count."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and str((entry / "ns" / "pid").readlink()) == pid_namespace:
                    found.append(int(entry.name))
    return found


def wait_gone(*pids: int, seconds: float = 15) -> bool:
    """Wait for the end of these processes (nobody's children of ours); say whether all have ended."""
    deadline = time.monotonic() + seconds
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            ended, _, _ = select.select([descriptor], [], [], max(0, deadline - time.monotonic()))
            os.close(descriptor)
            if not ended:
                return False
    return True
