"""What faults of addresses, pools and policies must do to the cluster, each as a check on a lab that has it."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Awaitable, Callable

from l2probe.lab.controllers.broken_addresses import GATEWAY, SYNTHETIC
from l2probe.lab.controllers.kinds import DAEMON_SET, LEASE, POD, POLICY, SERVICE, SLICE
from l2probe.lab.controllers.kinds import pool as pool_kind
from l2probe.lab.controllers.objects import Key, Obj, moment_of
from tests.lab.controllers.harness import Lab, service, vips

SHOP = ("api", "web")


async def shop(lab: Lab, holds: Callable[[list[str]], bool]) -> dict[str, list[str]]:
    """Return the addresses of the shop's Services once `holds` of each."""
    found = {}
    for name in SHOP:
        obj = await lab.obj(SERVICE, Key("shop", name), lambda obj: vips(obj) and holds(vips(obj)))
        found[name] = vips(obj)
    return found


async def pool_on_nodes(lab: Lab) -> None:
    """See a CIDR with host bits as the pool, and two nodes' addresses at the shop."""
    homes = {address: node.name for node in lab.world.nodes for address in node.addresses}
    found = await shop(lab, lambda ips: ips[0] in homes)

    (pool,) = (await lab.client.list(pool_kind("v2")))[0]
    cidr = pool["spec"]["blocks"][0]["cidr"]
    assert str(ipaddress.ip_network(cidr, strict=False)) != cidr
    assert {homes[ips[0]] for ips in found.values()} == {"node-2", "node-3"}
    for ips in found.values():
        assert lab.world.announcers(ips[0])


async def pool_off_link(lab: Lab) -> None:
    """Addresses of another network are given and announced; the IPv6 ones stay."""
    found = await shop(lab, lambda ips: ips[0].startswith("203.0.113."))

    for ips in found.values():
        assert ips[1].startswith("2001:db8:1::")
        assert len(lab.world.announcers(ips[0])) == 1


async def two_controllers(lab: Lab) -> None:
    """ServiceLB's DaemonSet and Pods are there, and the address goes to a node's own and back, again and again."""
    own = lab.world.nodes[-1].addresses[0]
    for _ in range(2):
        await shop(lab, lambda ips: ips[0] == own)
        await shop(lab, lambda ips: ips[0] != own)
    made = [obj for obj in (await lab.client.list(DAEMON_SET, "kube-system"))[0] if "svclb-" in obj["metadata"]["name"]]
    served = {obj["metadata"]["labels"]["svccontroller.k3s.cattle.io/svcname"] for obj in made}
    pods = [obj for obj in (await lab.client.list(POD, "kube-system"))[0] if "svclb-" in obj["metadata"]["name"]]
    assert served == set(SHOP)
    assert {obj["spec"]["nodeName"] for obj in pods} == {"node-3"}


async def address_given_twice(lab: Lab) -> None:
    """Every Service has the pool's first address, those made later too, and IPAM calls each satisfied."""
    await lab.make(SERVICE, service("late"))
    late = vips(await lab.addressed("late"))
    found = await shop(lab, lambda ips: ips == late)
    assert found["api"] == found["web"] == late


async def wrong_interface(lab: Lab) -> None:
    """Leases are held and fresh, no node answers, and the policy names another device."""
    (policy,) = (await lab.client.list(POLICY))[0]
    assert policy["spec"]["interfaces"] == ["^enp.*"]
    await lab.world.until(lambda: not any(node.announced for node in lab.world.nodes))
    lease = await lab.lease("web", lambda lease: lease["spec"]["holderIdentity"], "shop")
    assert time.time() - moment_of(lease["spec"]["renewTime"]) < lease["spec"]["leaseDurationSeconds"]


async def gateway_local(lab: Lab) -> None:
    """See an address and an endpoint without a node at the Gateway's Service, and no holder."""
    key = Key("shop", GATEWAY)
    (address,) = vips(await lab.obj(SERVICE, key, vips))
    (endpoint,) = (await lab.client.get(SLICE, key))["endpoints"]
    assert endpoint["addresses"] == [SYNTHETIC]
    assert "nodeName" not in endpoint
    assert not lab.world.announcers(address)
    names = {obj["metadata"]["name"] for obj in (await lab.client.list(LEASE, "kube-system"))[0]}
    assert not any(GATEWAY in name for name in names)


async def shared_address(lab: Lab) -> None:
    """Two Services have one address and two holders, and both nodes answer."""
    mail, chat = [vips(await lab.addressed(name, "shop")) for name in ("mail", "chat")]
    assert mail == chat
    holders = [(await lab.lease(name, holder, "shop"))["spec"]["holderIdentity"] for name in ("mail", "chat")]
    await lab.world.until(lambda: len(lab.world.announcers(mail[0])) == len(holders))
    assert set(lab.world.announcers(mail[0])) == set(holders)


def holder(lease: Obj) -> bool:
    """Whether somebody holds the lease."""
    return bool(lease["spec"]["holderIdentity"])


ADDRESS_EFFECTS: dict[str, Callable[[Lab], Awaitable[None]]] = {
    "pool-on-nodes": pool_on_nodes,
    "two-controllers": two_controllers,
    "pool-off-link": pool_off_link,
    "address-given-twice": address_given_twice,
    "wrong-interface": wrong_interface,
    "gateway-local": gateway_local,
    "shared-address": shared_address,
}
