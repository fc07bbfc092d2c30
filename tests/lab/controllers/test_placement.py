"""The scheduler's filters and its words."""

from __future__ import annotations

from typing import Any

import pytest

from l2probe.lab.controllers.placement import Site, place
from tests.lab.controllers.recorded import items


def site(number: int, *pods: dict[str, Any], **spec: object) -> Site:
    """Return a node and its Pods."""
    name = f"node-{number}"
    labels = {"kubernetes.io/hostname": name}
    return Site(node={"metadata": {"name": name, "labels": labels}, "spec": spec}, pods=pods)


def pod(*, labels: dict[str, str] | None = None, namespace: str = "ns", **spec: object) -> dict[str, Any]:
    """Return a Pod as the API holds it."""
    return {"metadata": {"name": "p", "namespace": namespace, "labels": labels or {}}, "spec": spec}


def apart(**labels: str) -> dict[str, Any]:
    """Return anti-affinity by hostname against these labels."""
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": labels}}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def spread(**labels: str) -> list[dict[str, Any]]:
    """Return an even spread by hostname."""
    return [{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": labels}}]


TAINT = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
MINE = pod(labels={"run": "1"})
THREE = (site(1), site(2), site(3))


@pytest.mark.parametrize(
    ("wanted", "sites", "expected"),
    [
        (pod(), THREE, "node-1"),
        (pod(), (site(1, pod()), site(2), site(3)), "node-2"),
        (pod(nodeSelector={"kubernetes.io/hostname": "node-3"}), THREE, "node-3"),
        (pod(), (site(1, unschedulable=True), site(2), site(3)), "node-2"),
        (pod(), (site(1, taints=[TAINT]), site(2), site(3)), "node-2"),
        (pod(tolerations=[{"key": "dedicated", "operator": "Exists"}]), (site(1, taints=[TAINT]),), "node-1"),
        (pod(tolerations=[{"key": "dedicated", "value": "db"}]), (site(1, taints=[TAINT]),), "node-1"),
        (pod(tolerations=[{"key": "dedicated", "value": "web"}]), (site(1, taints=[TAINT]),), None),
        (pod(tolerations=[{"operator": "Exists"}]), (site(1, unschedulable=True),), "node-1"),
        (pod(), (site(1, taints=[{**TAINT, "effect": "PreferNoSchedule"}]),), "node-1"),
        (pod(affinity=apart(run="1")), (site(1, MINE), site(2)), "node-2"),
        (pod(affinity=apart(run="1")), (site(1, pod(labels={"run": "1"}, namespace="other")),), "node-1"),
        (pod(topologySpreadConstraints=spread(run="1")), (site(1, MINE), site(2, pod(), pod())), "node-2"),
        (pod(topologySpreadConstraints=spread(run="1")), (site(1, MINE), site(2, MINE)), "node-1"),
    ],
)
def test_where_a_pod_goes(wanted: dict[str, Any], sites: tuple[Site, ...], expected: str | None) -> None:
    """A Pod goes to the emptiest node that selector, taints, anti-affinity and spread admit."""
    assert place(wanted, sites).node == expected


def test_the_recorded_refusal_comes_out_the_same() -> None:
    """The words for a selector that matches nothing are the recorded scheduler's."""
    recorded = items("pods")["unschedulable"]
    message = next(found["message"] for found in recorded["status"]["conditions"] if found["type"] == "PodScheduled")

    assert place(pod(nodeSelector={"none": "such"}), THREE).message == message


def test_reasons_are_counted_by_node() -> None:
    """Each node's first refusal is counted, sorted as text, and preemption says what it could do about each."""
    sites = (site(1, taints=[TAINT]), site(2, MINE), site(3, MINE))

    assert place(pod(affinity=apart(run="1")), sites).message == (
        "0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: db}, "
        "2 node(s) didn't match pod anti-affinity rules. "
        "no new claims to deallocate, preemption: 0/3 nodes are available: "
        "1 Preemption is not helpful for scheduling., 2 No preemption victims found for incoming pod."
    )


def test_a_cluster_without_nodes_says_so() -> None:
    """Without nodes there is a reason too."""
    assert place(pod(), ()).message == "no nodes available to schedule pods"
