"""Whatever happens during a run, its namespace is removed, or it is said that it is still there."""

from __future__ import annotations

import pytest

from l2probe.errors import ClusterError, L2ProbeError
from l2probe.run import run
from l2probe.run.edges import InterruptedRunError
from tests.run.played import World, plan

EDGE_CALLS = (
    "version",
    "missing_rights",
    "cluster",
    "vantage",
    "open_wire",
    "create",
    "live",
    "snapshot",
    "until",
    "ask",
    "neighbours",
    "select",
    "exchange",
    "knock",
    "annotate",
)
MOMENTS = [(name, count) for name in EDGE_CALLS for count in (1, 2, 3, 5, 8)]


@pytest.mark.parametrize(("name", "count"), MOMENTS, ids=str)
def test_whatever_fails_nothing_is_left(name: str, count: int) -> None:
    """Any edge may fail at any call: the error comes out as it was, and the namespace is gone."""
    world = World(fail=(name, count))

    try:
        run(plan(), world.edges())
        failed = None
    except L2ProbeError as error:
        failed = error

    assert world.namespaces == set()
    assert (failed is world.error) is (world.calls[name] >= count)


def test_a_defect_of_ours_leaves_nothing_either() -> None:
    """Even an exception that nobody foresaw removes the namespace."""
    world = World(fail=("annotate", 1), error=ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        run(plan(), world.edges())

    assert world.namespaces == set()


@pytest.mark.parametrize(("name", "count"), MOMENTS, ids=str)
def test_an_interrupt_cleans_up(name: str, count: int) -> None:
    """Ctrl-C at any moment ends the run and removes the namespace."""
    world = World(interrupt=(name, count))

    try:
        run(plan(), world.edges())
        interrupted = False
    except InterruptedRunError:
        interrupted = True

    assert world.namespaces == set()
    assert interrupted or world.calls[name] < count or world.calls["delete_namespace"] == 1


def test_a_namespace_that_stays_is_said() -> None:
    """A stuck namespace is told with its name; the evidence is not thrown away."""
    ran = run(plan(), World(stuck=True).edges())

    assert ran.leftover == "Namespace l2probe-0badcafe was still terminating after 60 s: Some content has finalizers."
    assert ran.evidence.trials


def test_a_failing_deletion_is_tried_again() -> None:
    """One hiccup of the API leaves nothing behind."""
    world = World(fail=("delete_namespace", 1))

    ran = run(plan(), world.edges())

    assert ran.leftover is None
    assert world.namespaces == set()


def test_an_error_with_leftovers_says_both() -> None:
    """The first failure stays the message, what is left is in the hint."""
    world = World(fail=("select", 1), stuck=True)

    with pytest.raises(ClusterError) as caught:
        run(plan(), world.edges())

    assert caught.value.message == "The API server answered 500."
    assert "Namespace l2probe-0badcafe was still terminating" in caught.value.hint


def test_keep_keeps() -> None:
    """--keep leaves the namespace alone."""
    world = World()

    run(plan(keep=True), world.edges())

    assert world.namespaces == {"l2probe-0badcafe"}
    assert world.calls["delete_namespace"] == 0
