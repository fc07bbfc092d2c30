"""Which node a MAC belongs to, from the nodes' own answers on the same interface. Pure; an unknown one stays so."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from l2probe.model import Mac, NeighbourReply, Node, NodeName


def map_nodes(
    replies: Sequence[NeighbourReply], node_replies: Sequence[NeighbourReply], nodes: Sequence[Node]
) -> tuple[NeighbourReply, ...]:
    """Return the replies with `node` filled in where exactly one node answered with that MAC.

    `node_replies` are answers to who-has for the nodes' own addresses. A node may have several MACs (two NICs);
    a MAC that several nodes answered with (proxy ARP, a router between) tells nothing.
    """
    owners = owners_of_macs(node_replies, nodes)
    return tuple(replace(reply, node=owners.get(reply.mac)) for reply in replies)


def owners_of_macs(node_replies: Sequence[NeighbourReply], nodes: Sequence[Node]) -> dict[Mac, NodeName]:
    """Return the node of each MAC that belongs to one node alone.

    An address that two nodes give as theirs (Vagrant's 10.0.2.15) tells nothing.
    """
    named = Counter(address for node in nodes for address in node.addresses)
    by_address = {address: node.name for node in nodes for address in node.addresses if named[address] == 1}
    claimed: dict[Mac, set[NodeName]] = defaultdict(set)
    for reply in node_replies:
        if reply.ip in by_address:
            claimed[reply.mac].add(by_address[reply.ip])
    return {mac: next(iter(names)) for mac, names in claimed.items() if len(names) == 1}
