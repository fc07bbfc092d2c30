"""Where we stand towards each address: on its segment, behind a router, or without a route. Sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from l2probe.model import Ip, Node, Vantage

MANY = 64
"""Addresses that are looked at one by one: each look asks the kernel for its links, addresses and routes."""
Look = Callable[[Sequence[Ip], Sequence[Node]], Vantage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The vantage, the addresses that its interface can ask for, and why not for each of the others.

    `unroutable`: those to which not even traffic can be sent. `segment`: the nodes' own segment, where this host is on
    it; `far`: the addresses that it does not hold, and that are asked for there all the same.
    """

    vantage: Vantage
    near: frozenset[Ip]
    obstacles: Mapping[Ip, str]
    unroutable: frozenset[Ip]
    segment: Vantage | None = None
    far: tuple[Ip, ...] = ()


NOWHERE = Place(vantage=Vantage(interface=None), near=frozenset(), obstacles={}, unroutable=frozenset())
"""Where we stand when nobody asked for the wire."""


def stand(look: Look, vips: Sequence[Ip], nodes: Sequence[Node]) -> Place:
    """Return the place from which most can be seen: the interface of the first address that is on a segment of ours."""
    single = _each(look, vips, nodes)
    on_link = [vip for vip in vips if single[vip].on_link]
    interface = single[on_link[0]].interface if on_link else None
    near = tuple(vip for vip in on_link if single[vip].interface == interface)
    reachable = frozenset(near)
    unroutable = frozenset(vip for vip in vips if single[vip].on_link is None)
    everything = len(near) + len(unroutable) == len(vips)
    vantage = look(near or vips, nodes)
    segment = vantage if near else look((), nodes)
    return Place(
        vantage=vantage,
        segment=segment if segment.on_link and segment.interface else None,
        far=tuple(vip for vip in vips if vip not in reachable),
        near=reachable,
        # Where all lie behind a router, the judge says so once (V02).
        obstacles={
            vip: _why(vip, single[vip], interface)
            for vip in vips
            if vip not in reachable and (vip in unroutable or (near and not everything))
        },
        unroutable=unroutable,
    )


def _each(look: Look, vips: Sequence[Ip], nodes: Sequence[Node]) -> Mapping[Ip, Vantage]:
    """Look at each address; of many that are all on one segment, or all without a route, one look tells of all."""
    if len(vips) <= MANY:
        return {vip: look((vip,), nodes) for vip in vips}
    seen = look(vips, nodes)
    if seen.on_link is not False:
        return dict.fromkeys(vips, seen)
    middle = len(vips) // 2
    return {**_each(look, vips[:middle], nodes), **_each(look, vips[middle:], nodes)}


def _why(vip: Ip, seen: Vantage, interface: str | None) -> str:
    if seen.on_link is None:
        return f"Anything about {vip}: no route leads there from this host. Add one, or run l2probe where there is one."
    through = f" through {seen.gateway}" if seen.gateway else ""
    return (
        f"Who announces {vip}: it is reached by {seen.interface}{through}, and the others are on {interface}."
        " Diagnose it alone, or from its own segment."
    )
