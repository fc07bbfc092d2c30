"""However a run ends, nothing of it stays in the cluster: by itself, or by `l2probe cleanup` after kill -9."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.conftest import PATH
from tests.lab.planes import PLANES

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("the one lab of this user")]


ENVIRONMENT = {**os.environ, "PATH": PATH}


@dataclass(frozen=True, slots=True)
class Cluster:
    """The lab that is up, and its API as an independent witness."""

    kubeconfig: Path

    def names(self, path: str) -> set[str]:
        """List the objects at an API path: "namespace/name" or "name"."""
        config = json.loads(self.kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        asked = urllib.request.Request(cluster["server"] + path, headers={"Authorization": f"Bearer {user['token']}"})
        insecure = ssl._create_unverified_context()
        with urllib.request.urlopen(asked, context=insecure, timeout=10) as answer:
            items = json.load(answer)["items"]
        return {"/".join(filter(None, (i["metadata"].get("namespace"), i["metadata"]["name"]))) for i in items}

    def everything(self) -> dict[str, set[str]]:
        """List all that a run could have made; the announcer's own Leases are collected by the announcer."""
        kinds = ("namespaces", "pods", "services", "configmaps", "secrets")
        return {kind: self.names(f"/api/v1/{kind}") for kind in kinds}


def l2probe(*args: str) -> subprocess.CompletedProcess[str]:
    """Run `l2probe ARGS…` to its end."""
    argv = (sys.executable, "-m", "l2probe", *args)
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=60)


@pytest.fixture(scope="module", params=PLANES)
def lab(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Bring one lab up for all tests of this module, on each control plane."""
    if l2probe("lab", "status").returncode == 0:
        pytest.skip("this user has a lab of their own up")
    up = l2probe("lab", "up", "--control-plane", request.param)
    if up.returncode:
        pytest.skip(up.stderr)
    status = json.loads(l2probe("lab", "status", "-o", "json").stdout)
    yield Cluster(kubeconfig=Path(status["kubeconfig"]))
    l2probe("lab", "down")


@pytest.fixture
def cluster(lab: Cluster) -> Iterator[Cluster]:
    """Return the lab that is up; what a test that failed left there is removed before the next one."""
    yield lab
    if any("l2probe-" in name for name in lab.names("/api/v1/namespaces")):
        l2probe("lab", "shell", "--", "l2probe", "cleanup", "--all")


def run_until(words: str, *signals: signal.Signals) -> tuple[int, str]:
    """Start a run, and send its process group these signals when it has said a line with these words on stderr.

    Return its exit code and what it said.
    """
    argv = (sys.executable, "-m", "l2probe", "lab", "shell", "--", "l2probe", "run", "-v")
    run = subprocess.Popen(
        argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=ENVIRONMENT, start_new_session=True
    )
    assert run.stderr is not None
    said = [""]
    while words not in said[-1]:
        said.append(run.stderr.readline())
        assert said[-1], f"the run never said {words!r}: {said}"
    for number in signals:
        os.killpg(run.pid, number)
    _, rest = run.communicate(timeout=60)
    return run.returncode, "".join(said) + rest


@pytest.mark.parametrize(
    "words",
    [
        "Looking at",
        "Creating namespace",
        "Creating Services",
        "ContainersNotReady",
        "smoke-source: trying",
        "Removing namespace",
    ],
)
def test_a_killed_run_is_cleaned_up(cluster: Cluster, words: str) -> None:
    """Killed anywhere, `l2probe cleanup` removes what the run left, and nothing else."""
    before = cluster.everything()
    run_until(words, signal.SIGKILL)

    cleaned = l2probe("lab", "shell", "--", "l2probe", "cleanup")

    assert cleaned.returncode == 0, cleaned.stderr
    assert cluster.everything() == before, cleaned.stdout


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("Creating namespace", signal.SIGINT),
        ("Creating Services", signal.SIGTERM),
        ("ContainersNotReady", signal.SIGINT),
        ("smoke-source: trying", signal.SIGTERM),
    ],
)
def test_an_interrupted_run_cleans_up_itself(cluster: Cluster, words: str, number: signal.Signals) -> None:
    """Ctrl-C once and SIGTERM: everything is removed, and the exit code says that nothing could be told."""
    before = cluster.everything()

    code, said = run_until(words, number)

    assert code == 2, said
    assert cluster.everything() == before, said


def test_the_second_interrupt_leaves_at_once_and_says_what_is_left(cluster: Cluster) -> None:
    """Ctrl-C twice: the run names what is left and the command that removes it, and that command works."""
    before = cluster.everything()

    code, said = run_until("Creating Services", signal.SIGINT, signal.SIGINT)

    assert code == 2
    if cluster.everything() != before:
        assert "l2probe cleanup" in said
    l2probe("lab", "shell", "--", "l2probe", "cleanup", "--all")
    assert cluster.everything() == before
