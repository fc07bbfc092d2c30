"""Each fault does to the cluster what its row says, to Services of before and after, and healing undoes it."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable

import pytest

from l2probe.errors import UsageError
from l2probe.lab.controllers.breakage import BREAKS
from l2probe.lab.controllers.kinds import LEASE, POLICY, POOLS, SERVICE, pool
from l2probe.lab.controllers.objects import Key, Obj, moment_of
from l2probe.lab.driver import Forwarding
from l2probe.lab.faults import FAULTS
from tests.lab.controllers.fake_world import FakeWorld
from tests.lab.controllers.harness import Lab, condition, running, service, vips


def state(world: FakeWorld) -> tuple[object, ...]:
    """Return all that can be seen of the World, apart from how often it was asked."""
    nodes = tuple((node.announced, node.frontends, node.dropped) for node in world.nodes)
    switch = world.switch
    return (
        *nodes,
        {k: v for k, v in switch.limits.items() if v},
        {k: v for k, v in switch.losses.items() if v},
        switch.owned,
    )


async def both(lab: Lab) -> list[str]:
    """Return the addresses of a Service of before the fault and of one that is made now."""
    await lab.make(SERVICE, service("late"))
    late, early = await lab.addressed("late"), await lab.addressed("web", "shop")
    await lab.lease("late", lambda lease: lease["spec"]["holderIdentity"])
    await lab.cluster.ready()
    return [*vips(early), *vips(late)]


async def leases(lab: Lab) -> list[Obj]:
    """Return the leases of shop/web and default/late."""
    return [await lab.lease("web", bool, "shop"), await lab.lease("late", bool)]


def renewed(first: str, lease: Obj) -> bool:
    """Tell whether the lease was renewed since."""
    return bool(lease["spec"]["renewTime"] != first)


async def silent_leader(lab: Lab) -> None:
    """Leases are held and fresh, nobody answers."""
    addresses = await both(lab)
    assert [lab.world.announcers(address) for address in addresses] == [[]] * 4
    for lease in await leases(lab):
        first = lease["spec"]["renewTime"]
        name = Key("kube-system", lease["metadata"]["name"])
        await lab.obj(LEASE, name, functools.partial(renewed, first))
    assert lab.world.nodes[0].frontends


async def duplicate_announcers(lab: Lab) -> None:
    """Two nodes answer, one of them the holder."""
    addresses = await both(lab)
    for address in addresses:
        assert len(lab.world.announcers(address)) == 2
    holder = (await lab.lease("late", bool))["spec"]["holderIdentity"]
    assert holder in lab.world.announcers(addresses[-1])


async def foreign_owner(lab: Lab) -> None:
    """See that the foreign host owns exactly what is announced."""
    addresses = await both(lab)
    assert set(addresses) <= lab.world.switch.owned
    assert lab.world.switch.owned == frozenset().union(*(node.announced for node in lab.world.nodes))


async def stale_lease(lab: Lab) -> None:
    """Leases have a holder and an old renewTime that no one renews; nobody answers."""
    addresses = await both(lab)
    assert [lab.world.announcers(address) for address in addresses] == [[]] * 4
    for lease in await leases(lab):
        assert lease["spec"]["holderIdentity"]
        assert time.time() - moment_of(lease["spec"]["renewTime"]) > 10 * lease["spec"]["leaseDurationSeconds"]


async def announcer_drops(lab: Lab) -> None:
    """Every node drops traffic to exactly what it announces."""
    await both(lab)
    assert all(node.dropped == node.announced for node in lab.world.nodes)
    assert any(node.dropped for node in lab.world.nodes)


async def dsr_not_effective(lab: Lab) -> None:
    """See that the datapath translates, the configuration is unchanged."""
    await both(lab)
    assert {front.forwarding for node in lab.world.nodes for front in node.frontends} == {Forwarding.SNAT}


async def mtu(lab: Lab) -> None:
    """Every node's port drops what is longer than 1400 bytes."""
    assert lab.world.switch.limits == {None: 1400}


async def loss(lab: Lab) -> None:
    """Every node's port loses 30 %."""
    assert lab.world.switch.losses == {None: 30}


async def no_policy(lab: Lab) -> None:
    """No policy, released leases, no announcement; addresses stay."""
    assert not (await lab.client.list(POLICY))[0]
    await lab.lease("web", lambda lease: not lease["spec"]["holderIdentity"], "shop")
    assert not any(node.announced for node in lab.world.nodes)
    assert vips(await lab.addressed("web", "shop"))


async def no_pool(lab: Lab) -> None:
    """No pool; every Service loses its address, and a new one is pending with the reason."""
    await lab.make(SERVICE, service("late"))
    pending = await lab.obj(
        SERVICE, Key("default", "late"), lambda obj: condition(obj, "cilium.io/IPAMRequestSatisfied")
    )
    found = condition(pending, "cilium.io/IPAMRequestSatisfied")
    assert (found["status"], found["reason"]) == ("False", "no_pool")
    await lab.obj(SERVICE, Key("shop", "web"), lambda obj: not vips(obj))
    assert not any(node.announced for node in lab.world.nodes)


EFFECTS: dict[str, Callable[[Lab], Awaitable[None]]] = {
    "silent-leader": silent_leader,
    "duplicate-announcers": duplicate_announcers,
    "foreign-owner": foreign_owner,
    "stale-lease": stale_lease,
    "announcer-drops": announcer_drops,
    "dsr-not-effective": dsr_not_effective,
    "mtu": mtu,
    "no-policy": no_policy,
    "no-pool": no_pool,
    "loss": loss,
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_breaks_and_healing_mends(name: str) -> None:
    """The fault shows in the World and the API while it lasts; afterwards both are as before."""

    async def law() -> None:
        async with running() as lab:
            before, addresses = state(lab.world), vips(await lab.addressed("web", "shop"))
            await lab.cluster.fault(name)
            await EFFECTS[name](lab)
            for late in [
                found for found in (await lab.client.list(SERVICE, "default"))[0] if found["metadata"]["name"] == "late"
            ]:
                await lab.client.delete(SERVICE, Key("default", late["metadata"]["name"]))
            await lab.until(SERVICE, lambda cache: cache.get(Key("default", "late")) is None)
            await lab.cluster.heal()
            await lab.lease("web", lambda lease: time.time() - moment_of(lease["spec"]["renewTime"]) < 15, "shop")
            await lab.cluster.ready()

            held = [
                lease for lease in (await lab.client.list(LEASE, "kube-system"))[0] if lease["spec"]["holderIdentity"]
            ]
            assert vips(await lab.addressed("web", "shop")) == addresses
            assert state(lab.world) == before
            assert {lease["metadata"]["name"].rpartition("-")[2] for lease in held} == {"api", "web"}

    asyncio.run(law())


@pytest.mark.parametrize("name", ["no-pool", "stale-lease", "no-policy"])
def test_a_fault_may_come_before_ready(name: str) -> None:
    """A fault that strikes while the cluster starts does the same, and `ready` still returns."""

    async def law() -> None:
        async with running(broken=name) as lab:
            assert not any(node.announced for node in lab.world.nodes)

    asyncio.run(law())


def test_two_faults_live_side_by_side() -> None:
    """A second fault does not end the first, and healing ends both."""

    async def law() -> None:
        async with running() as lab:
            await lab.cluster.fault("duplicate-announcers")
            await lab.cluster.fault("dsr-not-effective")
            vip = vips(await lab.addressed("web", "shop"))[0]
            assert len(lab.world.announcers(vip)) == 2
            assert {front.forwarding for front in lab.world.nodes[0].frontends} == {Forwarding.SNAT}
            await lab.cluster.heal()
            assert len(lab.world.announcers(vip)) == 1
            assert {front.forwarding for front in lab.world.nodes[0].frontends} == {Forwarding.DSR}

    asyncio.run(law())


def test_an_unknown_fault_is_refused_with_the_known_ones() -> None:
    """A misspelt fault names those that exist."""

    async def law() -> None:
        async with running() as lab:
            with pytest.raises(UsageError, match="silent-leader"):
                await lab.cluster.fault("silent-leeder")

    asyncio.run(law())


def test_every_listed_fault_can_be_applied() -> None:
    """The table that people read and the table that breaks have the same names; each row says what it does."""
    assert set(FAULTS) == set(BREAKS) == set(EFFECTS)
    assert all(fault.name == name and fault.about for name, fault in FAULTS.items())
    assert FAULTS["mtu"].command == "l2probe run --lab --fault mtu"
    assert pool("v2").plural == POOLS
