"""Who may reach the echo Services: with an image that is not our script, this host alone, or nobody is asked at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from l2probe.errors import ClusterError
from l2probe.model import Dialect, Ip
from l2probe.run import run
from l2probe.run.admission import check_admission
from l2probe.run.plan import Plan
from l2probe.suites import Question, Suite
from tests.judge.evidence import vantage
from tests.run.played import CLIENT, World, plan


def planned(dialect: Dialect, *suites: Suite) -> Plan:
    """Return a plan with this echo server."""
    found = plan(*suites)
    return replace(found, workload=replace(found.workload, dialect=dialect, mark="ab12"))


def services(world: World) -> list[dict[str, Any]]:
    """Return the specs of the Services that were made."""
    return [dict(one["spec"]) for one in world.objects if one["kind"] == "Service"]


@pytest.mark.parametrize("dialect", [Dialect.AGNHOST, Dialect.WHOAMI])
def test_an_image_s_services_admit_this_host_alone(dialect: Dialect) -> None:
    """What such an image lets everybody do, nobody else on the segment may ask for."""
    world = World()
    ran = run(planned(dialect), world.edges())

    assert ran.evidence.echo is dialect
    assert services(world)
    for spec in services(world):
        assert spec["loadBalancerSourceRanges"] == [f"{CLIENT}/32"]
    assert not [one for one in world.objects if one["kind"] in {"Secret", "ConfigMap"}]


def test_our_own_script_is_open_to_all() -> None:
    """It answers nobody without the secret, and a fence might hide what the cluster does."""
    world = World()
    run(planned(Dialect.SCRIPT), world.edges())

    assert all("loadBalancerSourceRanges" not in spec for spec in services(world))


def test_a_suite_s_own_ranges_stay() -> None:
    """Who wrote source-ranges means them."""
    question = Question(name="q", source_ranges=("198.51.100.0/24",))
    world = World()
    run(planned(Dialect.AGNHOST, Suite(name="one", about="x", questions=(question,))), world.edges())

    assert [spec["loadBalancerSourceRanges"] for spec in services(world)] == [["198.51.100.0/24"]]


def test_agnhost_behind_a_router_is_refused_before_anything_is_made() -> None:
    """Nobody knows which address of ours arrives there, and open to all it would run anybody's commands."""
    world = World(on_link=False)
    with pytest.raises(ClusterError, match="/shell") as raised:
        run(planned(Dialect.AGNHOST), world.edges())

    assert "--echo script" in raised.value.hint
    assert world.objects == []


def test_whoami_behind_a_router_is_asked_without_a_fence() -> None:
    """It lets nobody do more than be echoed, and a fence of the wrong address would be taken for a broken network."""
    world = World(on_link=False)
    run(planned(Dialect.WHOAMI), world.edges())

    assert all("loadBalancerSourceRanges" not in spec for spec in services(world))


def test_a_fence_that_would_shut_ourselves_out_is_no_finding_but_an_error() -> None:
    """Nodes are reached from one interface, addresses from another: our own fence would look like a blackhole."""
    before = vantage()
    behind = replace(before, interface="eth1", addresses=(Ip("192.0.2.9"),))

    with pytest.raises(ClusterError, match="are reached from eth1") as raised:
        check_admission(planned(Dialect.WHOAMI), behind, before=before)
    assert raised.value.hint == "Name that interface: --interface eth1."
    check_admission(planned(Dialect.SCRIPT), behind, before=before)
    check_admission(planned(Dialect.WHOAMI), before, before=before)
