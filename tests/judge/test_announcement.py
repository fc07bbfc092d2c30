"""Family B: what of a policy did not match, and where silence accuses nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l2probe.judge import judge
from l2probe.judge.selection import term_words
from l2probe.model import (
    AnnouncementPolicy,
    Requirement,
    Verdict,
)
from tests.judge import test_faults as faults
from tests.judge.broken import deaf, policy, the, unclaimed, with_cluster, with_vantage
from tests.judge.evidence import (
    NODES,
    VIP4,
    VIP6,
    each_trial,
    healthy,
    silent,
)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            {"load_balancer_ips": False},
            "loadBalancerIPs was false (its default).",
            id="both IP flags false, their default",
        ),
        pytest.param(
            {"service_selector": (Requirement(key="color", operator="In", values=("red",)),)},
            "service selector term color=red",
            id="service selector",
        ),
        pytest.param(
            {"node_selector": (Requirement(key="edge", operator="Exists"),)},
            "node selector (edge) matched no Ready node",
            id="node selector",
        ),
    ],
)
def test_the_term_that_failed_is_named(change: dict[str, object], says: str) -> None:
    """B02 says which term of the policy did not match."""
    found = the("B02", with_cluster(unclaimed(silent(healthy())), policies=(policy(**change),)))

    assert any(says in line for line in found.because)


def test_the_flag_that_alone_is_missing_is_the_remedy() -> None:
    """Where a policy lacks nothing but loadBalancerIPs, that is what to set."""
    almost, far = policy(load_balancer_ips=False), policy(node_selector=(Requirement(key="edge", operator="Exists"),))
    silenced = unclaimed(silent(healthy()))

    assert "Set loadBalancerIPs: true" in the("B02", with_cluster(silenced, policies=(almost,))).remedy
    assert "loadBalancerIPs" not in the("B02", with_cluster(silenced, policies=(far,))).remedy


@pytest.mark.parametrize(
    ("operator", "values", "words"),
    [
        ("In", ("a",), "k=a"),
        ("In", ("a", "b"), "k in (a,b)"),
        ("NotIn", ("a",), "k notin (a)"),
        ("Exists", (), "k"),
        ("DoesNotExist", (), "!k"),
    ],
)
def test_a_term_reads_as_in_kubectl(operator: str, values: tuple[str, ...], words: str) -> None:
    """A selector stands in the report as `kubectl get -l` would take it."""
    assert term_words(Requirement(key="k", operator=operator, values=values)) == words


def test_namespace_and_name_count_as_labels() -> None:
    """Cilium's two special selector labels select a Service by its name."""
    term = Requirement(key="io.kubernetes.service.name", operator="In", values=("smoke-source", "smoke-local"))
    evidence = with_cluster(unclaimed(silent(healthy())), policies=(policy(service_selector=(term,)),))

    assert "B02" not in {found.code for found in judge(evidence)}


@pytest.mark.parametrize(
    ("policies", "code"),
    [((), "B01"), ((policy(load_balancer_ips=False),), "B02")],
)
def test_a_feature_that_is_off_does_not_hide_what_its_policies_lack(
    policies: tuple[AnnouncementPolicy, ...], code: str
) -> None:
    """Whoever switches announcing on meets the policies next: both are named, in that order, as two causes."""
    found = judge(with_cluster(unclaimed(silent(healthy())), announcing=False, policies=policies))

    assert [(one.code, one.consequence_of) for one in found] == [("B04", None), (code, None)]


def test_old_cilium_without_ipv6_is_a_limitation_not_a_fault() -> None:
    """A silent IPv6 address on Cilium 1.17 is B04 as a warning; the silent IPv4 address beside it stays B07."""
    quiet = with_cluster(faults.silent_leader(), implementation_version="v1.17.9")

    found = judge(quiet)

    assert [(f.code, f.verdict) for f in found] == [("B07", Verdict.FAIL), ("B04", Verdict.WARN)]
    assert VIP6 not in found[0].says
    assert VIP4 in found[0].says


@pytest.mark.parametrize("where", [{"cluster_node": NODES[0]}, {"on_link": False}])
def test_nobody_is_accused_from_where_nothing_can_be_seen(where: dict[str, object]) -> None:
    """On a cluster node, or behind a router with nothing heard, no announcement or ownership fault is raised."""
    quiet = replace(each_trial(silent(healthy()), lambda t: replace(t, replies=None)), node_replies=None)

    assert not {f.code[0] for f in judge(with_vantage(quiet, **where))} & {"B", "C"}


def test_silence_on_a_deaf_interface_accuses_nobody() -> None:
    """When not even nodes were heard, no B finding is raised."""
    assert not {f.code for f in judge(deaf()) if f.code.startswith("B")}
