"""Where we stand, seen from the kernel's routes and addresses. Sends no packet and starts no program."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from l2probe.errors import WireError
from l2probe.model import Ip, Node, NodeName, Vantage
from l2probe.observe import netlink
from l2probe.observe.capture import permitted
from l2probe.observe.netlink import Address, Link, Route

FARAWAY = (Ip("192.0.2.1"), Ip("100::1"))
"""Addresses that are on nobody's segment (RFC 5737, RFC 6666): their route is the default one. Nothing is sent."""


def vantage(vips: Sequence[Ip], nodes: Sequence[Node], *, interface: str | None = None) -> Vantage:
    """Return the interface towards the VIPs (none yet: towards the nodes) and what can be seen from it.

    `on_link`: every one of these addresses is on that interface's own segment; None when no route leads to any.
    `interface` forces it; raises WireError when there is none of that name, or when it has no neighbours to ask.
    """
    ours = netlink.addresses()
    links = {link.index: link for link in netlink.links()}
    targets = tuple(vips) or tuple(address for node in nodes for address in node.addresses)
    routes = [(target, found) for target in targets if (found := netlink.route(target)) is not None]
    link = _forced(interface, links.values()) if interface is not None else _towards(routes, links, ours)
    node = _own_node(ours, nodes)
    if link is None:
        return Vantage(interface=None, raw_socket=permitted(), cluster_node=node)
    return Vantage(
        interface=link.name,
        mac=link.mac,
        addresses=_sources(link, ours),
        on_link=_on_link(routes, link, ours),
        gateway=next((route.gateway for _, route in routes if route.index == link.index and route.gateway), None),
        raw_socket=permitted(),
        cluster_node=node,
        subnets=_subnets(link, ours),
        routers=_routers(link),
    )


def _subnets(link: Link, ours: Sequence[Address]) -> tuple[str, ...]:
    """Return the networks that the interface is on; link-local ones hold no address that a Service could have."""
    mine = (address.network for address in ours if address.index == link.index)
    return tuple(dict.fromkeys(str(network) for network in mine if not network.is_link_local))


def _routers(link: Link) -> tuple[Ip, ...]:
    """Return the default gateways on this interface."""
    found = (netlink.route(target) for target in FARAWAY)
    return tuple(route.gateway for route in found if route and route.gateway and route.index == link.index)


def _forced(name: str, links: Iterable[Link]) -> Link:
    names = {link.name: link for link in links}
    if name not in names:
        raise WireError(f"The interface {name} does not exist.", f"There are: {', '.join(sorted(names))}.")
    if not names[name].ethernet:
        others = ", ".join(sorted(link.name for link in names.values() if link.ethernet)) or "none here"
        raise WireError(
            f"The interface {name} has no neighbours that ARP or NDP find: nobody announces an address there.",
            f"Leave out --interface, or name an Ethernet interface: {others}.",
        )
    return names[name]


def _towards(routes: Sequence[tuple[Ip, Route]], links: dict[int, Link], ours: Sequence[Address]) -> Link | None:
    """Return the interface of the first route that leaves this host; for its own address, the one that has it."""
    holders = {address.ip: address.index for address in ours}
    indexes = [holders.get(target, route.index) if route.local else route.index for target, route in routes]
    return next((links[index] for index in indexes if index in links), None)


def _sources(link: Link, ours: Sequence[Address]) -> tuple[Ip, ...]:
    """Return the addresses that connections leave with; link-local ones do not."""
    mine = (address.ip for address in ours if address.index == link.index)
    return tuple(ip for ip in mine if not ipaddress.ip_address(ip).is_link_local)


def _on_link(routes: Sequence[tuple[Ip, Route]], link: Link, ours: Sequence[Address]) -> bool | None:
    """Tell whether ARP and NDP on this interface reach them all: no router between, and it has neighbours at all."""
    if not routes:
        return None
    direct = (route.gateway is None and (route.local or route.index == link.index) for _, route in routes)
    subnets = [address.network for address in ours if address.index == link.index]
    inside = (any(ipaddress.ip_address(target) in subnet for subnet in subnets) for target, _ in routes)
    return link.ethernet and (all(direct) or all(inside))


def _own_node(ours: Sequence[Address], nodes: Sequence[Node]) -> NodeName | None:
    local = {address.ip for address in ours}
    return next((node.name for node in nodes if local.intersection(node.addresses)), None)
