"""What dead runs left is found and told apart from runs under way; nothing else is ever ours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from l2probe.run import process
from l2probe.run.teardown import Leftover, leftovers, removable
from l2probe.workload.manifests import EXPIRES_ANNOTATION, OURS, PROCESS_ANNOTATION, RUN_LABEL
from tests.run.played import FakeApi, World

NOW = 1_800_000_000.0


class Cluster(FakeApi):
    """An API with namespaces of many makers."""

    def __init__(self, found: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__(World())
        self.found = found

    def namespaces(self, selector: str) -> tuple[tuple[str, Mapping[str, str]], ...]:
        """Return them all when asked for ours."""
        assert selector == OURS
        return tuple(self.found.items())


def test_only_namespaces_that_a_run_made_are_leftovers() -> None:
    """The label is not enough: run id and name must belong together."""
    mine = {RUN_LABEL: "1", EXPIRES_ANNOTATION: "2027-01-15T08:00:00+00:00", PROCESS_ANNOTATION: "a.1.2"}
    api = Cluster({"l2probe-1": mine, "shop": {RUN_LABEL: "1"}, "l2probe-2": {}, "l2probe-3": {RUN_LABEL: "4"}})

    assert leftovers(api) == (Leftover(namespace="l2probe-1", run="1", expires=1_800_000_000.0, process="a.1.2"),)


def leftover(run: str, expires: float | None, maker: str = "elsewhere") -> Leftover:
    """Return what this run left."""
    return Leftover(namespace=f"l2probe-{run}", run=run, expires=expires, process=maker)


FOUND = (
    leftover("expired", NOW - 1),
    leftover("fresh", NOW + 1),
    leftover("killed", NOW + 1, "dead"),
    leftover("running", NOW + 1, "alive"),
    leftover("unreadable", None),
)
ALIVE = {"dead": False, "alive": True}


@pytest.mark.parametrize(
    ("everything", "run", "expected"),
    [
        pytest.param(False, None, {"expired", "killed"}, id="by default the dead and the expired"),
        pytest.param(True, None, {one.run for one in FOUND}, id="--all"),
        pytest.param(False, "fresh", {"fresh"}, id="--run"),
        pytest.param(False, "nothing", set(), id="--run of nobody"),
    ],
)
def test_what_may_go(*, everything: bool, run: str | None, expected: set[str]) -> None:
    """A run that may be under way goes only when it was asked for by name or with all."""
    assert removable(FOUND, now=NOW, alive=ALIVE.get, everything=everything, run=run).keys() == expected


def test_an_unreadable_expiry_is_no_expiry() -> None:
    """A damaged annotation never deletes anything."""
    api = Cluster({"l2probe-1": {RUN_LABEL: "1", EXPIRES_ANNOTATION: "soon"}})

    assert leftovers(api)[0].expires is None


def test_our_own_process_is_alive() -> None:
    """A run under way is recognised by the machine it runs on."""
    assert process.alive(process.this()) is True


def test_an_ended_process_is_dead() -> None:
    """A killed run's namespace may go at once, without waiting for its expiry."""
    code = "from l2probe.run import process; print(process.this())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert process.alive(done.stdout.strip()) is False


def test_a_reused_process_id_is_another_process() -> None:
    """Start times tell two processes of one number apart."""
    place, pid, since = process.this().split(".")

    assert process.alive(f"{place}.{pid}.{int(since) + 1}") is False


def test_a_zombie_is_dead() -> None:
    """A killed run whose parent has not yet asked for its end makes nothing any more."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        mark = f"{process.here()}.{child.pid}.{process.started(child.pid)}"
        before = process.alive(mark)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        after = process.alive(mark)

    assert (before, after) == (True, False)


@pytest.mark.parametrize(
    "mark",
    ["", "elsewhere.1.2", f".{os.getpid()}.1", "x", f"{process.here()}.x.1"],
    ids=["empty", "elsewhere", "nowhere", "damaged", "no number"],
)
def test_other_machines_and_damaged_marks_cannot_be_told(mark: str) -> None:
    """What did not run here is neither alive nor dead to us."""
    assert process.alive(mark) is None


def test_without_proc_nothing_is_claimed(tmp_path: Path) -> None:
    """Where /proc is hidden the mark is empty and only expiry counts."""
    assert process.this(tmp_path) == ""
    assert process.alive("a.1.2", tmp_path) is None
