"""A second segment behind a router of the lab, with one machine on it: where nobody hears the first segment's ARP."""

from __future__ import annotations

from collections.abc import Iterable

from l2probe.lab import links
from l2probe.lab import rtnetlink as rt
from l2probe.lab.netns import EVERYONE, ROUTERS, Namespace
from l2probe.lab.topology import REMOTE, REMOTE_GATEWAY, REMOTE_SUBNETS, ROUTER, UPLINK, UPLINK_INDEX

_LAN, _LAN_INDEX = "eth1", 3
"""The router's interface on the second segment."""


def build(segment: links.Segment, nodes: Iterable[Namespace]) -> Namespace:
    """Put the router on the segment and the machine behind it; return that machine. OSError when the kernel refuses."""
    router, remote = Namespace.new(ROUTERS), Namespace.new(EVERYONE)
    links.connect(segment.switch, ROUTER, router)
    router.netlink.do(
        rt.cable(
            _LAN,
            _LAN_INDEX,
            peer=UPLINK,
            peer_index=UPLINK_INDEX,
            peer_network=remote.descriptor,
            peer_mac=REMOTE.mac,
        ),
        rt.up(_LAN_INDEX),
        *(rt.address(_LAN_INDEX, _with_length(own, net)) for own, net in _pairs(REMOTE_GATEWAY)),
    )
    remote.netlink.do(
        rt.up(links.LOOPBACK),
        rt.up(UPLINK_INDEX),
        *(rt.address(UPLINK_INDEX, _with_length(own, net)) for own, net in _pairs(REMOTE.addresses)),
        rt.route("0.0.0.0/0", UPLINK_INDEX, via=REMOTE_GATEWAY[0]),
        rt.route("::/0", UPLINK_INDEX, via=REMOTE_GATEWAY[1]),
    )
    router.honest_frames(_LAN)
    remote.honest_frames(UPLINK)
    for node in nodes:
        back = zip(REMOTE_SUBNETS, ROUTER.addresses, strict=True)
        node.netlink.do(*(rt.route(net, UPLINK_INDEX, via=router_address) for net, router_address in back))
    return remote


def _pairs(addresses: tuple[str, str]) -> Iterable[tuple[str, str]]:
    return zip(addresses, REMOTE_SUBNETS, strict=True)


def _with_length(address: str, subnet: str) -> str:
    return f"{address}/{subnet.partition('/')[2]}"
