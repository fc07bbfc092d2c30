"""Pods' namespaces and the programs in them: what they may and may not do, and how they end."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from l2probe.errors import LabError
from l2probe.lab import rtnetlink as rt
from tests.lab.world.stage import ROOT, VIPS, Stage, play

pytestmark = pytest.mark.lab

LOOK = """
import json, os, sys
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
def refused(action):
    try: action()
    except OSError as problem: return problem.strerror
    return "allowed"
print(json.dumps({
    "caps": status["CapEff"], "bounding": status["CapBnd"], "new_privs": status["NoNewPrivs"], "uid": os.getuid(),
    "leader": os.getpid() == os.getsid(0) == os.getpgrp(),
    "files": [open(path).read() for path in sys.argv[1:]],
    "write_mount": refused(lambda: open(sys.argv[1], "a")),
    "write_host": refused(lambda: open("/run/l2probe/x", "w")),
    "write_tmp": refused(lambda: open("/tmp/l2probe-x", "w")),
    "secret": os.environ.get("SECRET"), "home": os.environ.get("HOME"),
}))
"""


async def spawned(stage: Stage, argv: Sequence[str], binds: Sequence[tuple[str, str]] = ()) -> tuple[str, int]:
    """Run a program in a new Pod of node-1 to its end; return what it wrote and its status."""
    link = stage.nodes["node-1"].attach_pod("program")
    heard, told = os.pipe()
    env = {"SECRET": "told"}
    process = await stage.nodes["node-1"].spawn(argv, netns=link.netns, env=env, binds=binds, output=told)
    os.close(told)
    status = await process.wait()
    with os.fdopen(heard) as reader:
        said = reader.read()
    stage.nodes["node-1"].detach_pod("program")
    return said, status


# A path whose parent the host has, one in the lab's own tmpfs, one whose first component exists nowhere.
TARGETS = ("/opt/l2probe-test/deep/one", "/run/two", "/l2probe-test-nowhere/three")


def directory(name: str) -> str:
    """Make a directory in the lab's own with a file that holds its name."""
    source = Path("/run/l2probe", name)
    source.mkdir()
    (source / "file").write_text(name)
    return str(source)


def existing(paths: Sequence[str]) -> list[str]:
    """Return those that exist."""
    return [path for path in paths if Path(path).exists()]


async def _confined(stage: Stage) -> dict[str, Any]:
    sources = [directory(name) for name in ("one", "two", "three")]
    files = [f"{target}/file" for target in TARGETS]
    said, status = await spawned(stage, ("python3", "-c", LOOK, *files), list(zip(sources, TARGETS, strict=True)))
    assert status == 0, said
    return {**json.loads(said), "left": existing(TARGETS)}


def test_a_pods_program_has_no_privileges_and_sees_its_mounts_read_only() -> None:
    """No capability, none to gain, no write anywhere; mounts at paths the host lacks, not seen outside the Pod."""
    seen = play(_confined)

    assert int(seen["caps"], 16) == int(seen["bounding"], 16) == 0
    assert seen["new_privs"] == "1"
    assert seen["leader"]
    assert seen["uid"] == (0 if seen["rootless"] else 65534)
    assert seen["files"] == ["one", "two", "three"]
    assert {seen["write_mount"], seen["write_host"], seen["write_tmp"]} <= {
        "Read-only file system",
        "Permission denied",
    }
    assert (seen["secret"], seen["home"]) == ("told", None)
    assert seen["left"] == []
    assert existing(("/opt/l2probe-test", "/l2probe-test-nowhere")) == []


async def _ends(stage: Stage) -> dict[str, Any]:
    node = stage.nodes["node-1"]
    _, seven = await spawned(stage, ("sh", "-c", "exit 7"))
    link = node.attach_pod("long")
    script = "import os, time\nif os.fork(): print('two', flush=True)\ntime.sleep(300)"
    heard, told = os.pipe()
    running = await node.spawn(("python3", "-c", script), netns=link.netns, env={}, output=told)
    os.close(told)
    await asyncio.to_thread(os.read, heard, 10)
    node.detach_pod("long")
    killed = await running.wait()
    running.signal(15)
    # The pipe ends when the last process of the Pod has.
    rest = await asyncio.to_thread(os.read, heard, 10)
    try:
        await spawned(stage, ("/nowhere/at-all",))
    except LabError as problem:
        refused = problem.message
    else:
        refused = "started"
    node.detach_pod("unknown")
    return {"seven": seven, "killed": killed, "rest": len(rest), "refused": refused}


def test_programs_end_with_their_pod_and_tell_how() -> None:
    """Exit statuses come through, detaching kills the whole group, a missing program is a LabError with its reason."""
    seen = play(_ends)

    assert (seen["seven"], seen["killed"], seen["rest"]) == (7, -9, 0)
    assert "No such file or directory" in seen["refused"]


async def _refused(stage: Stage) -> dict[str, Any]:
    try:
        stage.world.client.netlink.do(rt.up(2), rt.address(99, "192.0.2.1/32"), rt.up(2))
    except OSError as problem:
        return {"words": str(problem), "number": problem.errno}
    return {}


def test_what_the_kernel_refuses_is_named() -> None:
    """A netlink request that failed among others is named with its reason."""
    seen = play(_refused)

    assert "add address 192.0.2.1/32: No such device" in seen["words"]
    assert seen["number"] == 19


async def _many(stage: Stage) -> dict[str, Any]:
    node = stage.nodes["node-3"]
    first = [node.attach_pod(f"pod-{number}").addresses[0] for number in range(40)]
    for number in range(40):
        node.detach_pod(f"pod-{number}")
    again = [node.attach_pod(f"pod-{number}").addresses[0] for number in range(40)]
    same = node.attach_pod("pod-7").addresses[0] == again[7]
    return {"first": first, "again": again, "same": same}


def test_addresses_are_not_given_again_at_once() -> None:
    """Forty Pods and their forty successors have eighty addresses; attaching an attached Pod returns its own."""
    seen = play(_many)

    assert len({*seen["first"], *seen["again"]}) == 80
    assert seen["same"]


async def _rootless(stage: Stage) -> dict[str, Any]:
    await stage.pod("node-2")
    stage.nodes["node-1"].announce(VIPS)
    await stage.program("node-2")
    return {"answers": await stage.ask_all(), "uid": os.getuid()}


def test_the_lab_needs_no_root() -> None:
    """As a user without any capability the same lab forwards the same packets."""
    if os.getuid() != 0:
        seen = play(_rootless)
    else:
        user = ("--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--no-new-privs")
        python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
        libraries = sysconfig.get_path("purelib")
        if not Path(python).exists() or not all(path.stat().st_mode & 1 for path in (ROOT, *ROOT.parents)):
            pytest.skip("nobody may not read this source tree, or the system has no Python of this version")
        seen = play(_rootless, prefix=("setpriv", *user), python=python, env={"PYTHONPATH": libraries})

    assert seen["rootless"] is True
    assert {answer.split()[1] for answers in seen["answers"].values() for answer in answers} == {"node-2"}
