"""Each fault does to the cluster what its row says, to Services of before and after, and healing undoes it."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from l2probe.errors import UsageError
from l2probe.lab.controllers.breakage import BREAKS
from l2probe.lab.controllers.broken_worlds import WORLDS
from l2probe.lab.controllers.kinds import CONFIG_MAP, LEASE, NODE, POLICY, POOLS, SERVICE, Kind, pool
from l2probe.lab.controllers.objects import Key, Obj, key_of, moment_of
from l2probe.lab.driver import HARMLESS, Forwarding, NoBackend, Severed
from l2probe.lab.faults import FAULTS
from l2probe.lab.profiles import DEFAULT
from l2probe.lab.standing import STANDINGS
from tests.lab.controllers.address_effects import ADDRESS_EFFECTS
from tests.lab.controllers.fake_world import FakeWorld
from tests.lab.controllers.harness import Lab, condition, running, service, vips


def state(world: FakeWorld) -> tuple[object, ...]:
    """Return all that can be seen of the World, apart from how often it was asked, and from which node won a lease."""
    nodes = tuple((node.elsewhere, node.heeds, node.second, node.frontends, node.dropped) for node in world.nodes)
    switch = world.switch
    return (
        *nodes,
        sorted(address for node in world.nodes for address in node.announced),
        {k: v for k, v in switch.limits.items() if v},
        {k: v for k, v in switch.losses.items() if v},
        switch.owned,
        world.path.meddling,
        (world.client_host.keeps, world.client_host.detours),
    )


async def contents(lab: Lab) -> list[object]:
    """Return what people wrote into the objects that faults touch."""
    kinds = (SERVICE, POLICY, pool("v2"), CONFIG_MAP)
    found = [obj for kind in kinds for obj in (await lab.client.list(kind))[0]]
    return [(obj["kind"], key_of(obj), obj.get("spec"), obj.get("data")) for obj in found]


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


async def spec_of(lab: Lab, kind: Kind, name: str, namespace: str = "") -> Obj:
    """Return an object's spec as the API has it now."""
    return dict((await lab.client.get(kind, Key(namespace, name)))["spec"])


async def unannounced(lab: Lab) -> None:
    """Leases are let go, nobody answers, addresses and datapath stay."""
    await lab.lease("web", lambda lease: not lease["spec"]["holderIdentity"], "shop")
    await lab.world.until(lambda: not any(node.announced for node in lab.world.nodes))
    assert vips(await lab.addressed("web", "shop"))
    assert lab.world.nodes[0].frontends


async def policy_service_selector(lab: Lab) -> None:
    """Nothing is selected by the label of Services that the policy wants."""
    assert (await spec_of(lab, POLICY, "lab"))["serviceSelector"] == {"matchLabels": {"announce": "l2"}}
    await unannounced(lab)


async def policy_node_selector(lab: Lab) -> None:
    """Nothing is selected by the label of nodes that the policy wants."""
    assert (await spec_of(lab, POLICY, "lab"))["nodeSelector"]["matchLabels"]
    await unannounced(lab)


async def policy_no_addresses(lab: Lab) -> None:
    """Both flags are off."""
    spec = await spec_of(lab, POLICY, "lab")
    assert (spec["loadBalancerIPs"], spec["externalIPs"]) == (False, False)
    await unannounced(lab)


async def settings(lab: Lab) -> dict[str, str]:
    """Return the data of cilium-config."""
    return dict((await lab.client.get(CONFIG_MAP, Key("kube-system", "cilium-config")))["data"])


async def announcements_off(lab: Lab) -> None:
    """See that the setting says so, and the agents obey."""
    assert (await settings(lab))["enable-l2-announcements"] == "false"
    await unannounced(lab)


async def kube_proxy_replacement_off(lab: Lab) -> None:
    """See that the setting says so, agents announce nothing, and traffic is translated as kube-proxy does."""
    assert (await settings(lab))["kube-proxy-replacement"] == "false"
    await unannounced(lab)
    assert {front.forwarding for node in lab.world.nodes for front in node.frontends} == {Forwarding.SNAT}


async def requested_address_taken(lab: Lab) -> None:
    """See that the new Service has no address, and the reason names the one that it asked for."""
    pending = await lab.obj(SERVICE, Key("shop", "cart"), lambda obj: condition(obj, IPAM))
    assert condition(pending, IPAM)["reason"] == "already_allocated"
    assert vips(await lab.addressed("api", "shop"))[0] in condition(pending, IPAM)["message"]


async def foreign_load_balancer_class(lab: Lab) -> None:
    """See that the new Service has neither an address nor a condition."""
    pending = await lab.client.get(SERVICE, Key("shop", "checkout"))
    assert not vips(pending)
    assert not pending["status"].get("conditions")


async def no_ready_backend(lab: Lab) -> None:
    """See that the shop's Services have an address, an announcer and no backend."""
    await lab.cluster.ready()
    assert {front.targets for front in lab.world.nodes[0].frontends} == {()}
    assert any(node.announced for node in lab.world.nodes)


async def wrong_target_port(lab: Lab) -> None:
    """Backends are as before, at another port."""
    await lab.cluster.ready()
    targets = {target for front in lab.world.nodes[0].frontends for target in front.targets}
    assert {target.port for target in targets} == {8081}


async def holder_mismatch(lab: Lab) -> None:
    """One node answers, and it is not the holder, who has held for ten minutes."""
    addresses = await both(lab)
    for address in addresses:
        assert len(lab.world.announcers(address)) == 1
    for lease in await leases(lab):
        assert lease["spec"]["holderIdentity"] not in lab.world.announcers(
            addresses[0 if lease["metadata"]["name"].endswith("web") else -1]
        )
    assert time.time() - moment_of((await lab.lease("web", bool, "shop"))["spec"]["acquireTime"]) > 500


async def holder_gone(lab: Lab) -> None:
    """Leases name a node that does not exist, unrenewed; nobody answers."""
    addresses = await both(lab)
    assert [lab.world.announcers(address) for address in addresses] == [[]] * 4
    nodes = {node["metadata"]["name"] for node in (await lab.client.list(NODE))[0]}
    assert {lease["spec"]["holderIdentity"] for lease in await leases(lab)}.isdisjoint(nodes)


async def multicast_unanswered(lab: Lab) -> None:
    """Every node hears everything but multicast."""
    assert {node.heeds for node in lab.world.nodes} == {(True, False)}


async def broadcast_unanswered(lab: Lab) -> None:
    """Every node hears everything but broadcasts."""
    assert {node.heeds for node in lab.world.nodes} == {(False, True)}


async def several_nics(lab: Lab) -> None:
    """See that a node answers for the same on both NICs."""
    await both(lab)
    assert {node.second for node in lab.world.nodes} == {"plain"}
    assert [node.elsewhere.get("eth1", frozenset()) for node in lab.world.nodes] == [
        node.announced for node in lab.world.nodes
    ]


async def only_second(lab: Lab) -> None:
    """Nodes answer on the second NIC alone."""
    await both(lab)
    assert not any(node.announced for node in lab.world.nodes)
    assert sorted(address for node in lab.world.nodes for address in node.elsewhere.get("eth1", ()))


async def reply_from_other_nic(lab: Lab) -> None:
    """See that the second NIC is any NIC."""
    await only_second(lab)
    assert {node.second for node in lab.world.nodes} == {"plain"}


async def announcer_unmapped(lab: Lab) -> None:
    """See that the second NIC does not answer for the node."""
    await only_second(lab)
    assert {node.second for node in lab.world.nodes} == {"shy"}


def meddled(**wanted: object) -> Callable[[Lab], Awaitable[None]]:
    """Return the effect of devices that do this and nothing else."""

    async def effect(lab: Lab) -> None:
        assert {name: getattr(lab.world.path.meddling, name) for name in wanted} == wanted
        assert replace(lab.world.path.meddling, **{name: getattr(HARMLESS, name) for name in wanted}) == HARMLESS

    return effect


async def snat(lab: Lab) -> None:
    """See that the setting says SNAT, and so does the datapath."""
    await dsr_not_effective(lab)
    assert (await settings(lab))["bpf-lb-mode"] == "snat"


async def local_policy_drops(lab: Lab) -> None:
    """See that the setting says drop, and so does the datapath."""
    await both(lab)
    assert {front.no_backend for node in lab.world.nodes for front in node.frontends} == {NoBackend.DROP}
    assert (await settings(lab))["service-no-backend-response"] == "drop"


async def hybrid(lab: Lab) -> None:
    """See that the setting says hybrid, and the datapath translates UDP alone."""
    await both(lab)
    assert {(front.protocol, front.forwarding) for node in lab.world.nodes for front in node.frontends} == {
        ("TCP", Forwarding.DSR),
        ("UDP", Forwarding.SNAT),
    }
    assert (await settings(lab))["bpf-lb-mode"] == "hybrid"


async def masquerade_all(lab: Lab) -> None:
    """Every frontend of policy Cluster masquerades, those of policy Local do not."""
    await both(lab)
    assert {(front.local_only, front.masquerade) for front in lab.world.nodes[0].frontends} == {
        (False, True),
        (True, False),
    }


async def no_gratuitous_arp(lab: Lab) -> None:
    """See that who takes an address says so to nobody."""
    addresses = await both(lab)
    (announcer,) = lab.world.announcers(addresses[-1])
    node = next(node for node in lab.world.nodes if node.name == announcer)
    assert node.announcements[-1][1] is False


async def announcer_flaps(lab: Lab) -> None:
    """See each lease go from node to node by itself, again and again."""
    for name, namespace in (("web", "shop"), ("api", "shop")):
        first = await lab.lease(name, bool, namespace)
        transitions = first["spec"]["leaseTransitions"]
        await lab.lease(name, functools.partial(_moved, transitions + 3), namespace)


def _moved(transitions: int, lease: Obj) -> bool:
    return bool(lease["spec"]["leaseTransitions"] >= transitions)


async def slow_failover(lab: Lab) -> None:
    """See a new lease taken at once, and one that was let go late."""
    await both(lab)
    key = Key("kube-system", "cilium-l2announce-default-late")
    released = {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}}
    await lab.client.merge(LEASE, key, released)
    began = time.monotonic()
    await lab.lease("late", lambda lease: lease["spec"]["holderIdentity"])
    assert time.monotonic() - began > 6.0


async def gratuitous_arp_ignored(lab: Lab) -> None:
    """See the client keep its neighbour entries."""
    assert lab.world.client_host.keeps


async def reply_not_translated(lab: Lab) -> None:
    """No frontend translates answers back."""
    await both(lab)
    assert not any(front.reversing for node in lab.world.nodes for front in node.frontends)


async def asymmetric_path(lab: Lab) -> None:
    """See the client go through the firewall."""
    assert lab.world.client_host.detours


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
    "policy-service-selector": policy_service_selector,
    "policy-node-selector": policy_node_selector,
    "policy-no-addresses": policy_no_addresses,
    "announcements-off": announcements_off,
    "kube-proxy-replacement-off": kube_proxy_replacement_off,
    "requested-address-taken": requested_address_taken,
    "foreign-load-balancer-class": foreign_load_balancer_class,
    "no-ready-backend": no_ready_backend,
    "wrong-target-port": wrong_target_port,
    "holder-mismatch": holder_mismatch,
    "holder-gone": holder_gone,
    "multicast-unanswered": multicast_unanswered,
    "broadcast-unanswered": broadcast_unanswered,
    "several-nics": several_nics,
    "reply-from-other-nic": reply_from_other_nic,
    "announcer-unmapped": announcer_unmapped,
    "cross-node-blocked": meddled(severed=Severed.ALL),
    "cross-node-udp-blocked": meddled(severed=Severed.UDP),
    "intercepted": meddled(intercepting=True),
    "translated": meddled(translating=True),
    "deaf-interface": meddled(isolating=True),
    "snat": snat,
    "hybrid": hybrid,
    "local-policy-drops": local_policy_drops,
    "masquerade-all": masquerade_all,
    "no-gratuitous-arp": no_gratuitous_arp,
    "announcer-flaps": announcer_flaps,
    "slow-failover": slow_failover,
    "gratuitous-arp-ignored": gratuitous_arp_ignored,
    "reply-not-translated": reply_not_translated,
    "asymmetric-path": asymmetric_path,
    **ADDRESS_EFFECTS,
}
IPAM = "cilium.io/IPAMRequestSatisfied"


@pytest.mark.parametrize("name", EFFECTS)
def test_a_fault_breaks_and_healing_mends(name: str) -> None:
    """The fault shows in the World and the API while it lasts; afterwards both are as before."""
    profile = (FAULTS[name].profile if name in ADDRESS_EFFECTS else None) or DEFAULT

    async def law() -> None:
        async with running(profile) as lab:
            before, addresses = state(lab.world), vips(await lab.addressed("web", "shop"))
            content = await contents(lab)
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
            assert await contents(lab) == content
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
    # What only MetalLB, kube-vip or kube-proxy can have is in test_metallb.py and test_kubevip.py.
    assert set(BREAKS) == set(EFFECTS) | set(WORLDS)
    assert set(FAULTS) == set(BREAKS) | set(STANDINGS)
    assert not set(BREAKS) & set(STANDINGS)
    assert all(fault.name == name and fault.about for name, fault in FAULTS.items())
    assert FAULTS["mtu"].command == "l2probe run --lab --fault mtu"
    assert pool("v2").plural == POOLS
