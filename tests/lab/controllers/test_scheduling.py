"""Where Pods go, and that a namespace with Pods goes too."""

from __future__ import annotations

import asyncio

import pytest

from l2probe.lab.controllers.kinds import NAMESPACE, NODE, POD
from l2probe.lab.controllers.objects import Key
from tests.lab.controllers.harness import condition, events, is_ready, pod, running


def test_a_pod_that_fits_nowhere_says_why_and_goes_once_it_fits() -> None:
    """An unschedulable Pod has the real scheduler's condition and Event, and is placed when a node begins to fit."""

    async def law() -> None:
        async with running() as lab:
            await lab.make(POD, pod("lost", nodeSelector={"disk": "fast"}))
            found = await lab.pod("lost", lambda found: condition(found, "PodScheduled"))
            seen = await events(lab, "lost", "FailedScheduling")
            await lab.client.merge(NODE, Key("", "node-3"), {"metadata": {"labels": {"disk": "fast"}}})
            placed = await lab.pod("lost", is_ready)

            assert condition(found, "PodScheduled")["reason"] == "Unschedulable"
            assert seen["FailedScheduling"]["message"] == condition(found, "PodScheduled")["message"]
            assert placed["spec"]["nodeName"] == "node-3"

    asyncio.run(law())


def test_pods_that_must_be_apart_are_apart() -> None:
    """Three Pods with anti-affinity by hostname, made at once, are on three nodes."""
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "echo"}}}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}

    async def law() -> None:
        async with running() as lab:
            names = ("a", "b", "c")
            await asyncio.gather(*(lab.make(POD, pod(name, app="echo", affinity=affinity)) for name in names))
            placed = [(await lab.pod(name, is_ready))["spec"]["nodeName"] for name in names]

            assert sorted(placed) == ["node-1", "node-2", "node-3"]

    asyncio.run(law())


@pytest.mark.parametrize("alone", [False, True])
def test_a_namespace_is_gone_when_its_pods_have_ended(*, alone: bool) -> None:
    """Deleting a namespace ends its Pods' processes and Services' leases, and then it is gone, whoever empties it."""

    async def law() -> None:
        async with running(alone=alone) as lab:
            await lab.client.delete(NAMESPACE, Key("", "shop"))
            await lab.until(NAMESPACE, lambda cache: cache.get(Key("", "shop")) is None)
            await lab.lease("web", lambda lease: not lease["spec"]["holderIdentity"], "shop")
            await lab.cluster.ready()

            assert [len(node.detached) for node in lab.world.nodes] == [1, 1, 1]
            assert all(not node.frontends and not node.announced for node in lab.world.nodes)

    asyncio.run(law())
