"""Who announces what, over the API and with real leases: taking, renewing, releasing, following."""

from __future__ import annotations

import asyncio

from l2probe.lab.controllers.allocation import ingress_of
from l2probe.lab.controllers.kinds import LEASE, NODE, POD, POLICY, SERVICE
from l2probe.lab.controllers.objects import Key, Obj, moment_of
from tests.lab.controllers.harness import Lab, is_ready, pod, running, service, vips


def holder(lease: Obj) -> str:
    """Who holds it."""
    return str(lease["spec"]["holderIdentity"])


async def point(lab: Lab, name: str, app: str) -> None:
    """Point a Service at other Pods."""
    await lab.client.merge(SERVICE, Key("default", name), {"spec": {"selector": {"app": app}}})


def test_a_new_service_is_held_announced_and_forwarded() -> None:
    """A Service gets two addresses, one lease in Cilium's form, one announcer with gratuitous ARP, and a datapath."""

    async def law() -> None:
        async with running() as lab:
            await lab.make(SERVICE, service("web"))
            found = await lab.addressed("web")
            lease = await lab.lease("web", holder)
            await lab.cluster.ready()

            assert vips(found) == ["198.51.100.42", "2001:db8:1::42"]
            assert lease["metadata"].get("labels") is None
            assert lease["metadata"].get("ownerReferences") is None
            spec = lease["spec"]
            assert (spec["leaseDurationSeconds"], spec["leaseTransitions"]) == (15, 0)
            assert spec["acquireTime"] == spec["renewTime"]
            node = next(node for node in lab.world.nodes if node.name == holder(lease))
            assert [lab.world.announcers(vip) for vip in vips(found)] == [[node.name]] * 2
            assert node.announcements[-1][1] is True
            assert {(front.port, front.protocol) for front in node.frontends if front.vip in vips(found)} == {
                (80, "TCP"),
                (80, "UDP"),
            }

    asyncio.run(law())


def test_the_holder_renews() -> None:
    """The renewTime moves after the retry period, while acquireTime, holder and transitions stay."""

    async def law() -> None:
        async with running() as lab:
            first = (await lab.lease("web", holder, "shop"))["spec"]
            again = (await lab.lease("web", lambda lease: lease["spec"]["renewTime"] != first["renewTime"], "shop"))[
                "spec"
            ]

            assert 1.9 < moment_of(again["renewTime"]) - moment_of(first["renewTime"]) < 10
            assert {**again, "renewTime": 0} == {**first, "renewTime": 0}

    asyncio.run(law())


def test_addresses_stay_across_updates_and_end_with_the_service() -> None:
    """Changing a Service keeps its address; deleting it releases lease, announcement, datapath and address."""

    async def law() -> None:
        async with running() as lab:
            await lab.make(SERVICE, service("web"))
            before = vips(await lab.addressed("web"))
            await lab.lease("web", holder)
            await point(lab, "web", "other")
            await lab.make(SERVICE, service("second"))
            second = vips(await lab.addressed("second"))
            after = vips(await lab.addressed("web"))
            await lab.client.delete(SERVICE, Key("default", "web"))
            released = await lab.lease("web", lambda lease: not holder(lease))
            await lab.cluster.ready()
            await lab.make(SERVICE, service("third"))

            assert before == after
            assert not set(second) & set(before)
            assert released["spec"]["leaseDurationSeconds"] == 1
            assert vips(await lab.addressed("third")) == before

    asyncio.run(law())


def test_an_old_cluster_ignores_where_backends_are() -> None:
    """Under 1.19 the lease of a policy-Local Service stays when its only backend is elsewhere, or nowhere."""

    async def law() -> None:
        async with running("cilium-1.19-dsr") as lab:
            await lab.make(SERVICE, service("web", policy="Local"))
            first = await lab.lease("web", holder)
            other = next(node.name for node in lab.world.nodes if node.name != holder(first))
            await lab.make(POD, pod("web", node=other))
            await lab.pod("web", is_ready)
            await lab.cluster.ready()
            later = await lab.lease("web", holder)
            front = next(front for front in lab.world.nodes[0].frontends if front.vip == "198.51.100.42")

            assert holder(later) == holder(first)
            assert front.local_only
            assert [target.node for target in front.targets] == [other]

    asyncio.run(law())


def test_a_new_cluster_moves_the_lease_to_the_backend() -> None:
    """Under 1.20.2 the lease of a policy-Local Service follows the selected Pod to its node, within milliseconds."""

    async def law() -> None:
        async with running("cilium-1.20.2-dsr") as lab:
            for name, node in (("one", "node-1"), ("three", "node-3")):
                await lab.make(POD, pod(name, node=node))
                await lab.pod(name, is_ready)
            await lab.make(SERVICE, service("web", app="one", policy="Local"))
            await lab.lease("web", lambda lease: holder(lease) == "node-1")
            await point(lab, "web", "three")
            moved = await lab.lease("web", lambda lease: holder(lease) == "node-3")
            await lab.cluster.ready()

            assert moved["spec"]["leaseTransitions"] == 1
            assert lab.world.announcers("198.51.100.42") == ["node-3"]

    asyncio.run(law())


def test_a_new_cluster_announces_nothing_without_a_local_backend() -> None:
    """Under 1.20.2 a policy-Local Service without any backend has its lease released and nobody answers."""

    async def law() -> None:
        async with running("cilium-1.20.2-dsr") as lab:
            await lab.make(POD, pod("one", node="node-1"))
            await lab.pod("one", is_ready)
            await lab.make(SERVICE, service("web", app="one", policy="Local"))
            await lab.lease("web", lambda lease: holder(lease) == "node-1")
            await point(lab, "web", "nobody")
            await lab.lease("web", lambda lease: not holder(lease))
            await lab.cluster.ready()

            assert lab.world.announcers("198.51.100.42") == []
            assert vips(await lab.addressed("web")) == ["198.51.100.42", "2001:db8:1::42"]

    asyncio.run(law())


def test_a_node_selector_moves_the_lease() -> None:
    """When the policy no longer selects the holder, another node takes over and announces."""

    async def law() -> None:
        async with running() as lab:
            first = holder(await lab.lease("web", holder, "shop"))
            expression = {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [first]}
            await lab.client.merge(
                POLICY, Key("", "lab"), {"spec": {"nodeSelector": {"matchExpressions": [expression]}}}
            )
            second = holder(await lab.lease("web", lambda lease: holder(lease) not in ("", first), "shop"))
            await lab.cluster.ready()
            vip = vips(await lab.addressed("web", "shop"))[0]

            assert lab.world.announcers(vip) == [second]

    asyncio.run(law())


def test_an_interface_that_is_not_there_is_a_silent_lease() -> None:
    """With interface patterns that match nothing the lease stays held, and nobody answers."""

    async def law() -> None:
        async with running() as lab:
            await lab.client.merge(POLICY, Key("", "lab"), {"spec": {"interfaces": ["^bond0$"]}})
            await lab.until(
                POLICY, lambda cache: [found for found in cache if found["spec"]["interfaces"] == ["^bond0$"]]
            )
            await lab.world.until(lambda: not any(node.announced for node in lab.world.nodes))

            assert holder(await lab.lease("web", holder, "shop"))

    asyncio.run(law())


def test_a_lease_that_someone_else_holds_is_respected() -> None:
    """A fresh lease of another holder is not taken, and nobody of ours announces."""

    async def law() -> None:
        async with running() as lab:
            stranger = {"holderIdentity": "elsewhere", "leaseDurationSeconds": 15, "leaseTransitions": 0}
            metadata = {"name": "cilium-l2announce-default-web", "namespace": "kube-system"}
            await lab.make(LEASE, {"metadata": metadata, "spec": stranger})
            await lab.make(SERVICE, service("web"))
            found = await lab.addressed("web")
            await lab.cluster.ready()

            assert holder(await lab.lease("web", holder)) == "elsewhere"
            assert [lab.world.announcers(str(vip)) for vip in ingress_of(found)] == [[], []]

    asyncio.run(law())


def test_a_removed_node_is_no_candidate() -> None:
    """A node that the API does not know takes no lease, whoever runs there."""

    async def law() -> None:
        async with running() as lab:
            for name in ("node-1", "node-2"):
                await lab.client.delete(NODE, Key("", name))
            await lab.until(NODE, lambda cache: len(cache) == 1)
            await lab.make(SERVICE, service("web"))

            assert holder(await lab.lease("web", holder)) == "node-3"

    asyncio.run(law())
