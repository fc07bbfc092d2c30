"""The lab's cables: from the switch to every machine, and from a node to each of its Pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from l2probe.lab import rtnetlink as rt
from l2probe.lab.netns import EVERYONE, ROUTERS, SWITCH, Namespace
from l2probe.lab.topology import (
    BRIDGE,
    BRIDGE_INDEX,
    MACHINES,
    NODES,
    POD_GATEWAY6,
    SECOND,
    SECOND_INDEX,
    SUBNET4,
    SUBNET6,
    UPLINK,
    UPLINK_INDEX,
    Machine,
    Site,
)

LOOPBACK = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The switch (the lab's own namespace) and the machines on it by name."""

    switch: Namespace
    machines: Mapping[str, Namespace]


def build_segment(own_network: int) -> Segment:
    """Turn the namespace behind `own_network` into the switch and cable every machine to it. OSError on refusal."""
    switch = Namespace(own_network, SWITCH)
    machines = {machine.name: Namespace.new(ROUTERS if isinstance(machine, Site) else EVERYONE) for machine in MACHINES}
    switch.netlink.do(rt.up(LOOPBACK), rt.bridge(BRIDGE, BRIDGE_INDEX), rt.up(BRIDGE_INDEX))
    for machine in MACHINES:
        connect(switch, machine, machines[machine.name])
    return Segment(switch=switch, machines=machines)


def connect(switch: Namespace, machine: Machine, namespace: Namespace) -> None:
    """Cable a machine to the switch and give it its addresses."""
    switch.netlink.do(*_plug(machine, namespace))
    namespace.netlink.do(*_configure(machine))
    namespace.honest_frames(UPLINK)
    switch.honest_frames(machine.port)


def plug_second(switch: Namespace, node: Namespace, site: Site, *, shy: bool) -> None:
    """Cable a node to the switch once more. `shy`: that NIC answers ARP for no address of another one."""
    switch.netlink.do(*_plug(site.second, node, SECOND, SECOND_INDEX))
    with node.entered():
        Path(f"/proc/sys/net/ipv4/conf/{SECOND}/arp_ignore").write_text(str(int(shy)))
    node.netlink.do(rt.up(SECOND_INDEX))
    node.honest_frames(SECOND)
    switch.honest_frames(site.second.port)


def pull_second(switch: Namespace, site: Site) -> None:
    """Take that cable away."""
    switch.netlink.do(rt.remove(site.second.port_index))


def _plug(
    machine: Machine, namespace: Namespace, device: str = UPLINK, index: int = UPLINK_INDEX
) -> tuple[rt.Request, ...]:
    cable = rt.cable(
        machine.port,
        machine.port_index,
        peer=device,
        peer_index=index,
        peer_network=namespace.descriptor,
        peer_mac=machine.mac,
    )
    return cable, rt.enslave(machine.port_index, BRIDGE_INDEX), rt.up(machine.port_index)


def _configure(machine: Machine) -> tuple[rt.Request, ...]:
    return (
        rt.up(LOOPBACK),
        rt.up(UPLINK_INDEX),
        rt.address(UPLINK_INDEX, f"{machine.v4}/{SUBNET4.partition('/')[2]}"),
        rt.address(UPLINK_INDEX, f"{machine.v6}/{SUBNET6.partition('/')[2]}"),
        *(_node_routes(machine) if isinstance(machine, Site) else ()),
    )


def _node_routes(site: Site) -> tuple[rt.Request, ...]:
    peers = tuple(peer for peer in NODES if peer != site)
    return (
        # On the loopback one address serves all Pod links: Linux answers ARP for any of its addresses on any link.
        rt.address(LOOPBACK, f"{site.gateway4}/32"),
        rt.address(LOOPBACK, f"{site.gateway6}/128"),
        *(rt.route(peer.pods4, UPLINK_INDEX, via=peer.v4) for peer in peers),
        *(rt.route(peer.pods6, UPLINK_INDEX, via=peer.v6) for peer in peers),
    )


def attach_pod(node: Namespace, site: Site, host: int) -> tuple[Namespace, tuple[str, str]]:
    """Make the namespace of a Pod by its host number, cable it to its node; return it and its addresses, IPv4 first.

    FileExistsError while the kernel still takes down the last Pod of that number.
    """
    pod = Namespace.new(EVERYONE)
    try:
        _cable_pod(node, pod, site, host)
    except OSError:
        pod.close()
        raise
    return pod, site.pod_addresses(host)


def _cable_pod(node: Namespace, pod: Namespace, site: Site, host: int) -> None:
    v4, v6 = site.pod_addresses(host)
    name, index = _pod_link(host)
    mac = f"02:00:00:01:{site.number:02x}:{host:02x}"
    node.netlink.do(
        rt.cable(name, index, peer=UPLINK, peer_index=UPLINK_INDEX, peer_network=pod.descriptor, peer_mac=mac)
    )
    node.netlink.do(
        rt.address(index, f"{POD_GATEWAY6}/64"),
        rt.up(index),
        rt.route(f"{v4}/32", index),
        rt.route(f"{v6}/128", index),
    )
    pod.netlink.do(
        rt.up(LOOPBACK),
        rt.up(UPLINK_INDEX),
        rt.address(UPLINK_INDEX, f"{v4}/32"),
        rt.address(UPLINK_INDEX, f"{v6}/128"),
        rt.route("0.0.0.0/0", UPLINK_INDEX, via=site.gateway4),
        rt.route("::/0", UPLINK_INDEX, via=POD_GATEWAY6),
    )
    node.honest_frames(name)
    pod.honest_frames(UPLINK)


def detach_pod(node: Namespace, site: Site, pod: Namespace, host: int) -> None:
    """Make the Pod unreachable and let go of its namespace.

    The link goes with the namespace, in the kernel's own time: removing it here would block the caller for 30 to 50 ms.
    """
    index = _pod_link(host)[1]
    v4, v6 = site.pod_addresses(host)
    node.netlink.do(rt.remove_route(f"{v4}/32", index), rt.remove_route(f"{v6}/128", index))
    pod.close()


def _pod_link(host: int) -> tuple[str, int]:
    return f"lxc{host}", 100 + host
