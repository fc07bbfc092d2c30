"""What Cilium's real operator writes about addresses, and that l2probe reads exactly that."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.real import cluster, lb_ipam, network
from tests.real.command import run
from tests.real.lb_ipam import objects, pool, reason, service

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]

BLUE = "10.99.0.160/31"
READ = """
import json
from l2probe.observe.kube import connect
cluster = connect().cluster()
said = lambda service: [[each.type, each.status, each.reason] for each in service.conditions]
services = {each.name: [list(each.vips), said(each)] for each in cluster.services}
pools = {each.name: [each.available, each.conflicting, each.disabled] for each in cluster.pools or ()}
print(json.dumps({"services": services, "pools": pools}))
"""


@pytest.fixture(scope="module")
def operator(possible: None) -> Iterator[None]:
    """Have LB IPAM beside MetalLB for the tests of this file."""
    cluster.up()
    with lb_ipam.lb_ipam():
        yield


def settled(name: str) -> str | None:
    """Return the reason that LB IPAM gives, once it gives one."""
    cluster.until(lambda: reason(name) is not None, f"a condition of {name}", seconds=10)
    return reason(name)


def read() -> dict[str, Any]:
    """Return the Services and pools as l2probe reads them."""
    argv = network.within("rc-client", sys.executable, "-c", READ)
    answer: dict[str, Any] = json.loads(run(*argv, env=cluster.environment()))
    return answer


def test_an_address_is_given_and_counted(operator: None) -> None:
    """One of two addresses is given: the condition says satisfied and the pool has one left; l2probe reads the same."""
    with objects(pool("blue", BLUE), service("fine")):
        assert settled("fine") == "satisfied"

        seen = read()

    vips, conditions = seen["services"]["fine"]
    assert vips in (["10.99.0.160"], ["10.99.0.161"])
    assert [lb_ipam.SATISFIED, "True", "satisfied"] in conditions


@pytest.mark.parametrize(
    ("why", "manifests"),
    [
        ("no_pool", (pool("red", "10.99.0.170/31", serviceSelector={"matchLabels": {"to": "red"}}), service("wants"))),
        ("no_pool", (pool("off", BLUE, disabled=True), service("wants"))),
        ("out_of_ips", (pool("blue", "10.99.0.160/32"), service("first"), service("wants"))),
        (
            "already_allocated",
            (pool("blue", BLUE), service("first", address="10.99.0.160"), service("wants", address="10.99.0.160")),
        ),
    ],
    ids=["selector", "disabled", "full", "taken"],
)
def test_each_reason_for_a_pending_service_is_read_as_written(
    operator: None, why: str, manifests: tuple[dict[str, Any], ...]
) -> None:
    """LB IPAM says why a Service has no address, in a condition and in no event; l2probe reads that condition."""
    with objects(*manifests[:-1]):
        if len(manifests) > 2:
            assert settled("first") == "satisfied"
        with objects(manifests[-1]):
            assert settled("wants") == why
            seen = read()
            events = cluster.kubectl("get", "events", "--field-selector=involvedObject.name=wants", "-o", "name")

    assert seen["services"]["wants"] == [[], [[lb_ipam.SATISFIED, "False", why]]]
    assert events == ""


def test_without_any_pool_nothing_is_said(operator: None) -> None:
    """While no pool exists there is no condition at all: silence is not a reason."""
    with objects(service("waiting")):
        assert read()["services"]["waiting"] == [[], []]
        assert reason("waiting") is None
