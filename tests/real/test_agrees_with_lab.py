"""A real MetalLB and the lab's, side by side: the same scenarios, the same first findings and capabilities."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest

from l2probe import rights
from l2probe.workload.manifests import SERVICE_PORT
from tests.agreement import SCENARIOS, Scenario, first, otherwise
from tests.lab.conftest import commander
from tests.lab.test_agreement import argv
from tests.real import network, witness
from tests.real.cluster import apply, kubectl, until
from tests.real.hosts import POOL
from tests.real.prober import Prober, grant
from tests.real.scene import advertised_from, foreign_owner, scene, without_advertisement, without_pool

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

NAMESPACE = "agreement"


def taken() -> AbstractContextManager[None]:
    """Have a machine outside the cluster own the addresses that a run gets first, and serve there as the lab's does."""
    heads = [pool.partition("-")[0][:-1] for pool in POOL]
    return foreign_owner(*(f"{head}{last}" for head in heads for last in range(4)), port=SERVICE_PORT)


@contextmanager
def no_endpoint() -> Iterator[None]:
    """Have the scene's Service select no Pod, and nobody announce it any more."""
    selector = json.dumps({"spec": {"selector": {"app": "nobody"}}})
    kubectl("-n", NAMESPACE, "patch", "service", "web", "--patch", selector)
    until(lambda: not witness.announcer(NAMESPACE, "web"), "the end of the announcement", seconds=15)
    yield


BROKEN: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "": nullcontext,
    "no-pool": without_pool,
    "no-advertisement": without_advertisement,
    "advertisement-node-selector": lambda: advertised_from("no-such-node"),
    "foreign-owner": taken,
    "no-endpoint": no_endpoint,
}
"""How a real cluster is broken as the lab is by its fault of that name."""


def on_a_real_cluster(scenario: Scenario, l2probe: Prober) -> dict[str, Any]:
    """Play the scenario with the printed rights and return the report."""
    grant(())
    apply(*rights.manifests(scenario.command, rights.Holder(user="prober")))
    network.forget()
    if scenario.command == "run":
        with BROKEN[scenario.broken]():
            return l2probe("run", "--timeout", "8", "-o", "json").report
    with scene(NAMESPACE, policy=scenario.policy, node="rc-n3"), BROKEN[scenario.broken]():
        return l2probe("diagnose", f"{NAMESPACE}/web", "-o", "json").report


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_both_worlds_agree(l2probe: Prober, scenario: Scenario) -> None:
    """What l2probe finds first and concludes is the same in both, and what the table says."""
    real, lab = on_a_real_cluster(scenario, l2probe), commander()(*argv(scenario)).report

    assert first(real) == first(lab) == scenario.first
    assert otherwise(real, scenario.capabilities) == otherwise(lab, scenario.capabilities) == {}
