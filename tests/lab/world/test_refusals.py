"""What the lab says where the kernel or the machine does not let it be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from l2probe.errors import LabError
from l2probe.lab import interpreter
from tests.lab.world.processes import possible
from tests.lab.world.stage import ROOT

pytestmark = pytest.mark.lab

# A user namespace has sysctls of its own: in one that allows no more of them, without capabilities, nothing is left.
FORBIDDEN = """
import os, sys
from pathlib import Path
from l2probe.lab import kernel
user, group = os.geteuid(), os.getegid()
kernel.unshare(kernel.CLONE_NEWUSER)
Path("/proc/self/setgroups").write_text("deny")
Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
Path("/proc/sys/user/max_user_namespaces").write_text("0")
kernel.drop_privileges()
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""
ISOLATE = """
from l2probe.errors import LabError
from l2probe.lab import kernel
try:
    kernel.isolate()
except LabError as problem:
    print(problem.message, problem.hint, sep="\\n")
"""


def said(*argv: str, env: dict[str, str] | None = None) -> str:
    """Run this Python with arguments; return what it wrote."""
    done = subprocess.run(
        (sys.executable, *argv),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
    )
    return done.stdout + done.stderr


def test_a_kernel_that_allows_no_user_namespace_is_named() -> None:
    """Without capabilities and with user.max_user_namespaces=0 the message names that sysctl and what to type."""
    possible()

    message, hint = said("-c", FORBIDDEN, ISOLATE).splitlines()

    assert message.startswith("The kernel refused the lab its namespaces: ")
    assert "(user.max_user_namespaces=0)" in message
    assert "sysctl -w user.max_user_namespaces=" in hint


def test_a_machine_without_nft_is_told_what_to_install() -> None:
    """The message names the missing program, the hint the package."""
    script = """
from l2probe.errors import LabError
from l2probe.lab import programs
programs.SYSTEM_PATH = "/nowhere"
try:
    programs.nft_path()
except LabError as problem:
    print(problem)
"""

    assert said("-c", script, env={"PATH": "/nowhere"}).strip() == (
        "The lab needs nft, and this machine has none. apt-get install nftables"
    )


def test_a_python_that_the_lab_may_not_run_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user namespace may lose the way into a private directory: the message names the interpreter."""
    python = tmp_path / "python"
    python.touch(0o600)
    monkeypatch.setattr(sys, "executable", str(python))

    with pytest.raises(LabError, match=f"In a user namespace {python} may not be executed."):
        interpreter.for_pods(rootless=True, spare=str(tmp_path))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("session.up('cilium-9', [])", "The lab has no profile 'cilium-9'. It has cilium-1.19-dsr,"),
        (
            "session.run_inside([], profile='cilium-1.19-dsr', faults=['mtu', 'x'])",
            "The lab has no fault 'x'. `l2probe lab faults` lists them",
        ),
        ("session.fault('denied:list')", "The lab has no fault 'denied:list'. Write denied:VERB:RESOURCE with one of"),
        ("session.fault('denied:lst:pods')", "The lab has no fault 'denied:lst:pods'. Write denied:VERB:RESOURCE"),
        (
            "session.fault('denied:list:leases.apps')",
            "The lab's API has no resource 'leases.apps'. It has bfdprofiles.metallb.io, ",
        ),
        (
            "session.up('metallb-0.15', ['snat'])",
            "A lab that plays metallb-0.15 cannot be broken by snat: the agents run with bpf-lb-mode=snat: ",
        ),
        (
            "session.up(None, ['stale-vip', 'no-policy'])",
            "A lab that plays kube-vip-1.0 cannot be broken by no-policy: no CiliumL2AnnouncementPolicy exists. ",
        ),
    ],
)
def test_unknown_names_are_refused_before_anything_is_built(call: str, words: str) -> None:
    """A profile or fault that does not exist is a UsageError which lists those that do, a misfit one which fit."""
    script = f"""
from l2probe.errors import UsageError
from l2probe.lab import session
try:
    {call}
except UsageError as problem:
    print(problem)
"""

    assert said("-c", script).startswith(words)
