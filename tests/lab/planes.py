"""The lab's control planes in tests: each one with the reason for which a test on it is skipped here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

import pytest

from l2probe.errors import UsageError
from l2probe.lab.assets import CONTROL_PLANES, VARIABLE, find
from l2probe.lab.standing import STANDINGS
from l2probe.rights import COMMANDS
from tests.lab.conftest import Command, Ran


def obstacle(environ: Mapping[str, str]) -> str | None:
    """Return in one sentence why no real control plane can be started here, None if it can."""
    try:
        find(environ)
    except UsageError:
        return f"{VARIABLE} names no directory with etcd and kube-apiserver"
    return None


needs_assets = pytest.mark.skipif(obstacle(os.environ) is not None, reason=obstacle(os.environ) or "")
PLANES = [pytest.param(plane, marks=[needs_assets] if plane == "envtest" else [], id=plane) for plane in CONTROL_PLANES]
"""Both, as parameters of a test or fixture."""
DEFAULT = "cilium-1.19-dsr"
REMEMBERED = {"gratuitous-arp-ignored"}
"""Faults for which the client must have met nobody: what it learned of an address in another test it would keep."""


class Staying:
    """Runs `l2probe … --lab --profile P --fault F` in a real control plane's lab that stays as long as P is the same.

    Every command is asked as a user who has the rights that `l2probe rbac` prints for it and no other one.
    """

    def __init__(self, command: Command) -> None:
        self._command = command
        self._profile: str | None = None

    def __call__(self, *args: str) -> Ran:
        """Run `l2probe ARGS…` there; the faults are healed afterwards."""
        words, profile, faults = _read(args)
        if REMEMBERED.intersection(faults):
            self.down()
        self._be(profile)
        for fault in faults:
            self._done("lab", "fault", fault)
        if words[0] == "diagnose" and all(word.startswith("-") for word in words[1:]):
            words.append("--all")
        name, *rest = words
        # A fault that denies a right denies it to the kubeconfig's own user.
        who = [] if any(STANDINGS[fault].denied for fault in faults if fault in STANDINGS) else ["--as", f"jane-{name}"]
        try:
            return self._command("lab", "shell", "--", "l2probe", name, *who, *rest)
        finally:
            self._done("lab", "heal")

    def shell(self, script: str, *, code: int | None = 0, inside: bool = True) -> Ran:
        """Run a shell script in the lab of the default profile (or beside it), which must end with this code."""
        self._be(self._profile or DEFAULT)
        ran = self._command("lab", "shell", "--", "sh", "-c", script) if inside else self._command(*script.split()[1:])
        assert code is None or ran.code == code, f"{script}: {ran.code} {ran.stderr}"
        return ran

    def _be(self, profile: str) -> None:
        if profile == self._profile:
            return
        self.down()
        self._done("lab", "up", "--control-plane", "envtest", "--profile", profile)
        self._profile = profile
        for name in COMMANDS:
            grant = f'l2probe rbac --for "{name}" --user "jane-{name}" | kubectl apply -f -'
            self._done("lab", "shell", "--", "sh", "-c", grant)

    def _done(self, *words: str) -> None:
        ran = self._command(*words)
        assert ran.code == 0, f"{' '.join(words)}: {ran.stderr}"

    def down(self) -> None:
        """Leave no lab."""
        self._done("lab", "down")
        self._profile = None


def _read(args: tuple[str, ...]) -> tuple[list[str], str, list[str]]:
    """Return the words without the lab's options, the profile and the faults; `-o json` is two words, too."""
    words, given = [], {"--profile": [DEFAULT], "--fault": []}
    rest = iter(args)
    for word in rest:
        if word in given:
            given[word].append(next(rest))
        elif word == "-o":
            words.append(f"-o{next(rest)}")
        elif word != "--lab":
            words.append(word)
    return words, given["--profile"][-1], given["--fault"]


def needs_kubectl() -> None:
    """Skip the test where there is no kubectl."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
