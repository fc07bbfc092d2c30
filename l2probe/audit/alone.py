"""Whom to ask alone for addresses that answered nobody's call: who should have each first, then the others. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from l2probe.diagnose.ground import Ground, claims_of
from l2probe.model import Ip, Mac, NeighbourReply, NodeName

MOST_QUESTIONS = 32_768
"""Questions to single machines in all, a second's worth; each address costs one at least. To no machine more than the
sweep's own calls, which all of them hear."""


def whom(
    silent: Sequence[Ip], ground: Ground, heard: Sequence[NeighbourReply]
) -> tuple[tuple[tuple[Ip, Mac], ...], tuple[Ip, ...]]:
    """Return each silent address with each machine to ask, and the addresses for which a machine is left out.

    Of many addresses each is asked for of fewer machines; what its holder was asked for is not left out, for nobody
    else should have it. `heard`: what was told of the nodes' own addresses.
    """
    macs = machines(ground, heard)
    every = tuple(dict.fromkeys(mac for known in macs.values() for mac in known))
    if not silent or not every:
        return (), ()
    most, holders = max(1, MOST_QUESTIONS // len(silent)), claimed(ground)
    first = {vip: tuple(mac for holder in holders.get(vip, ()) for mac in macs.get(holder, ())) for vip in silent}
    pairs = ((vip, mac) for vip in silent for mac in islice(dict.fromkeys((*first[vip], *every)), most))
    partly = tuple(vip for vip in silent if not first[vip]) if len(every) > most else ()
    return tuple(pairs), partly


def machines(ground: Ground, heard: Sequence[NeighbourReply]) -> Mapping[NodeName, tuple[Mac, ...]]:
    """Return the MACs that answered for each node's own addresses."""
    homes = {address: node.name for node in ground.cluster.nodes or () for address in node.addresses}
    found: dict[NodeName, dict[Mac, None]] = {}
    for reply in heard:
        if reply.ip in homes:
            found.setdefault(homes[reply.ip], {})[reply.mac] = None
    return {name: tuple(macs) for name, macs in found.items()}


def claimed(ground: Ground) -> Mapping[Ip, tuple[NodeName, ...]]:
    """Return whom the control plane named last for each address."""
    found: dict[Ip, dict[NodeName, None]] = {}
    for service in ground.services:
        history = claims_of(ground, service)
        if history and (holder := history[-1].holder) is not None:
            for vip in service.vips:
                found.setdefault(vip, {})[holder] = None
    return {vip: tuple(holders) for vip, holders in found.items()}
