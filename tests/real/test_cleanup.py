"""What is left of a run that was ended in the middle, and that `l2probe cleanup` removes it: on a real cluster."""

from __future__ import annotations

import signal
import subprocess

import pytest

from tests.real.cluster import apply, kubectl
from tests.real.prober import Prober
from tests.real.scene import namespaces

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

MOMENTS = ("Creating namespace", "Creating Services", "Asking the wire")
"""What the run says, with -v, as it begins something; it is ended right then."""


def start_until(l2probe: Prober, moment: str) -> subprocess.Popen[str]:
    """Start a run and return when it says that it begins `moment`."""
    process = l2probe.start("run", "-v")
    assert process.stderr is not None
    for line in process.stderr:
        if moment in line:
            return process
    process.communicate()
    raise AssertionError(f"the run ended with {process.returncode} and never said {moment!r}")


def end(process: subprocess.Popen[str], how: signal.Signals) -> int:
    """Send a signal, wait for the end and return the exit code."""
    process.send_signal(how)
    process.communicate(timeout=90)
    return process.returncode


@pytest.mark.parametrize("moment", MOMENTS)
def test_cleanup_removes_what_a_killed_run_left(l2probe: Prober, moment: str) -> None:
    """After kill -9 at any moment one `cleanup` finds the dead run's namespace, if it came to be, and removes it."""
    end(start_until(l2probe, moment), signal.SIGKILL)
    left = namespaces()

    ran = l2probe("cleanup")

    assert ran.code == 0
    assert all(each in ran.stdout for each in left)
    assert namespaces() == ()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", MOMENTS[1:])
def test_an_interrupted_run_removes_what_it_made(l2probe: Prober, moment: str, how: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end the run with the namespace gone; no `cleanup` is needed."""
    code = end(start_until(l2probe, moment), how)

    assert code != 0
    assert namespaces() == ()


def test_cleanup_touches_nothing_of_others(l2probe: Prober) -> None:
    """A namespace that only looks like one of ours, by name or by label, stays."""
    label = {"app.kubernetes.io/managed-by": "l2probe"}
    apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "l2probe-lookalike"}},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "someones", "labels": label}},
    )
    try:
        ran = l2probe("cleanup", "--all")
        there = kubectl("get", "namespace", "l2probe-lookalike", "someones", "-o", "name").split()
    finally:
        kubectl("delete", "namespace", "l2probe-lookalike", "someones")

    assert ran.code == 0
    assert there == ["namespace/l2probe-lookalike", "namespace/someones"]
